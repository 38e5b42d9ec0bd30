using System.Collections.Immutable;
using Cairn.Protocol.Healing;

namespace Cairn.Server.Membership;

/// <summary>What other members were seen to have promised, and which of their processes may speak for them. Thread-safe.</summary>
public sealed class MemberMarks
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, PeerMark> _marks = [];

    /// <summary>Starts from what was remembered.</summary>
    /// <param name="marks">The marks, by member.</param>
    public MemberMarks(IEnumerable<KeyValuePair<ulong, PeerMark>> marks) => _marks = new(marks);

    /// <summary>The marks, by member.</summary>
    public ImmutableSortedDictionary<ulong, PeerMark> All
    {
        get
        {
            lock (_lock)
            {
                return _marks.ToImmutableSortedDictionary();
            }
        }
    }

    /// <summary>The process of a member that was accepted last.</summary>
    /// <param name="memberId">The member.</param>
    /// <returns>Null if none was.</returns>
    public ProcessIdentity? ProcessOf(ulong memberId)
    {
        lock (_lock)
        {
            return _marks.GetValueOrDefault(memberId)?.Process;
        }
    }

    /// <summary>Notes a promise of a member whose process was accepted; of others nothing is known.</summary>
    /// <param name="memberId">The member.</param>
    /// <param name="term">Term in which it promised.</param>
    /// <param name="index">Index up to which it acknowledged; 0 for a vote.</param>
    /// <param name="committed">Commit index of that term, if this member leads in it; 0 otherwise.</param>
    public void Promised(ulong memberId, ulong term, ulong index, ulong committed = 0)
    {
        lock (_lock)
        {
            if (_marks.TryGetValue(memberId, out var mark) && (term > mark.Term || (term == mark.Term && index > mark.Index)))
            {
                _marks[memberId] = mark with
                {
                    Term = term,
                    Index = index,
                    CommittedIndex = Math.Max(mark.CommittedIndex, Math.Min(index, committed)),
                    PromisedBy = mark.Process.Nonce,
                };
            }
        }
    }

    /// <summary>Notes that what was acknowledged in a term is committed up to an index. Only the leader of that term knows.</summary>
    /// <param name="term">Term in which this member leads.</param>
    /// <param name="committed">The commit index.</param>
    public void Committed(ulong term, ulong committed)
    {
        lock (_lock)
        {
            foreach (var (id, mark) in _marks.ToArray())
            {
                var acknowledged = Math.Min(mark.Index, committed);
                if (mark.Term == term && acknowledged > mark.CommittedIndex)
                {
                    _marks[id] = mark with { CommittedIndex = acknowledged };
                }
            }
        }
    }

    /// <summary>Judges whether a process may speak for a member, and remembers it if it may.</summary>
    /// <remarks>What the cluster recorded is final. What this member alone remembers may be mistaken: it makes a dispute, about which the leader of the others decides.</remarks>
    /// <param name="memberId">The member.</param>
    /// <param name="recorded">Its incarnation in the replicated membership; 0 if none is recorded.</param>
    /// <param name="shown">The process; null if it shows nothing, as etcd's.</param>
    /// <param name="end">The end of its log.</param>
    /// <param name="isOtherAlive">Whether the process that was accepted last was heard a moment ago.</param>
    /// <param name="verdict">What the cluster decided about the process; null if nothing.</param>
    /// <param name="refused">Nonce of a process that the cluster decided not to hear; 0 for none. If it is the one that was accepted last, a copy perhaps, how often that was started says nothing against others.</param>
    /// <returns>The judgement.</returns>
    public Judgement Judge(ulong memberId, ulong recorded, ProcessIdentity? shown, in LogEnd end, bool isOtherAlive, ProcessVerdict? verdict = null, ulong refused = 0)
    {
        lock (_lock)
        {
            var known = _marks.GetValueOrDefault(memberId);
            var vouch = verdict is { Speaks: true } && verdict.Index > (known?.JudgedAt ?? 0) ? verdict.Index : 0;
            var judgement = verdict is { Speaks: false } ? Judgement.Refuse("the cluster decided that it does not speak for its member")
                : Judge(known, recorded, shown, end, isOtherAlive, isVouched: vouch != 0 || (refused != 0 && known?.Process.Nonce == refused));
            if (judgement.IsAccepted && shown is not null && (known?.Process != shown || vouch != 0))
            {
                var mark = known?.Process.Incarnation == shown.Incarnation ? known with { Process = shown } : new PeerMark { Process = shown };
                _marks[memberId] = mark with { JudgedAt = Math.Max(mark.JudgedAt, vouch) };
            }

            return judgement;
        }
    }

    private static Judgement Judge(PeerMark? known, ulong recorded, ProcessIdentity? shown, in LogEnd end, bool isOtherAlive, bool isVouched)
    {
        var expected = recorded != 0 ? recorded : known?.Process.Incarnation ?? 0;
        if (shown is null)
        {
            return expected == 0 ? Judgement.Accepted : Judgement.Refuse("it shows no incarnation, and the member had one");
        }

        if (expected != 0 && shown.Incarnation != expected)
        {
            return Judgement.Refuse("its data directory is not the one that made the member's promises");
        }

        if (known is null || known.Process == shown || known.Process.Incarnation != shown.Incarnation)
        {
            return Judgement.Accepted;
        }

        if (!known.IsHeldBy(shown, end))
        {
            return Judgement.Dispute(
                $"its log ends at {end.LastIndex} in term {end.Term}, and it acknowledged {known.Index} in term {known.Term}, of which {known.CommittedIndex} is committed", isBehind: true);
        }

        if (isVouched)
        {
            return Judgement.Accepted;
        }

        if (shown.StartCounter < known.Process.StartCounter)
        {
            return Judgement.Dispute($"its data directory was started {shown.StartCounter} times, and was seen with {known.Process.StartCounter}: it is an older image", isBehind: false);
        }

        if (shown.StartCounter == known.Process.StartCounter)
        {
            return Judgement.Dispute($"another process was seen at start {shown.StartCounter} of its data directory: one of the two is a copy", isBehind: false);
        }

        return isOtherAlive ? Judgement.Defer("another process of the member is alive") : Judgement.Accepted;
    }
}

/// <summary>Whether a process may speak for a member.</summary>
/// <param name="Verdict">The verdict.</param>
/// <param name="Reason">Why not; empty if it may.</param>
/// <param name="IsBehind">Of a dispute: whether the process forgot a promise.</param>
public readonly record struct Judgement(JudgementKind Verdict, string Reason, bool IsBehind = false)
{
    /// <summary>It may.</summary>
    public static Judgement Accepted { get; } = new(JudgementKind.Accepted, "");

    /// <summary>Whether it may.</summary>
    public bool IsAccepted => Verdict == JudgementKind.Accepted;

    /// <summary>It may perhaps later.</summary>
    /// <param name="reason">Why not now.</param>
    /// <returns>The judgement.</returns>
    public static Judgement Defer(string reason) => new(JudgementKind.Deferred, reason);

    /// <summary>It may not before the cluster has decided.</summary>
    /// <param name="reason">Why not.</param>
    /// <param name="isBehind">Whether it forgot a promise.</param>
    /// <returns>The judgement.</returns>
    public static Judgement Dispute(string reason, bool isBehind) => new(JudgementKind.Disputed, reason, isBehind);

    /// <summary>It never may.</summary>
    /// <param name="reason">Why not.</param>
    /// <returns>The judgement.</returns>
    public static Judgement Refuse(string reason) => new(JudgementKind.Refused, reason);
}

/// <summary>The kinds of judgements.</summary>
public enum JudgementKind
{
    /// <summary>The process may speak for the member.</summary>
    Accepted,

    /// <summary>Not now, because another one that may is alive.</summary>
    Deferred,

    /// <summary>Never: its directory is not the recorded one, or the cluster decided so.</summary>
    Refused,

    /// <summary>Not before the cluster has decided: its disk does not hold what this member saw promised, or seems to be a copy.</summary>
    Disputed,
}
