using System.Collections.Immutable;

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
                _marks[memberId] = mark with { Term = term, Index = index, CommittedIndex = Math.Max(mark.CommittedIndex, Math.Min(index, committed)) };
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
    /// <param name="memberId">The member.</param>
    /// <param name="recorded">Its incarnation in the replicated membership; 0 if none is recorded.</param>
    /// <param name="shown">The process; null if it shows nothing, as etcd's.</param>
    /// <param name="end">The end of its log.</param>
    /// <param name="isOtherAlive">Whether the process that was accepted last was heard a moment ago.</param>
    /// <returns>The judgement.</returns>
    public Judgement Judge(ulong memberId, ulong recorded, ProcessIdentity? shown, in LogEnd end, bool isOtherAlive)
    {
        lock (_lock)
        {
            var known = _marks.GetValueOrDefault(memberId);
            var judgement = Judge(known, recorded, shown, end, isOtherAlive);
            if (judgement.IsAccepted && shown is not null && known?.Process != shown)
            {
                _marks[memberId] = known?.Process.Incarnation == shown.Incarnation ? known with { Process = shown } : new PeerMark { Process = shown };
            }

            return judgement;
        }
    }

    private static Judgement Judge(PeerMark? known, ulong recorded, ProcessIdentity? shown, in LogEnd end, bool isOtherAlive)
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

        if (shown.StartCounter < known.Process.StartCounter)
        {
            return Judgement.Refuse($"its data directory was started {shown.StartCounter} times, and was seen with {known.Process.StartCounter}: it is an older image");
        }

        if (shown.StartCounter == known.Process.StartCounter)
        {
            return Judgement.Refuse($"another process was seen at start {shown.StartCounter} of its data directory: one of the two is a copy");
        }

        if (!known.IsHeldBy(end))
        {
            return Judgement.Refuse(
                $"its log ends at {end.LastIndex} in term {end.Term}, and it acknowledged {known.Index} in term {known.Term}, of which {known.CommittedIndex} is committed");
        }

        return isOtherAlive ? Judgement.Defer("another process of the member is alive") : Judgement.Accepted;
    }
}

/// <summary>Whether a process may speak for a member.</summary>
/// <param name="Verdict">The verdict.</param>
/// <param name="Reason">Why not; empty if it may.</param>
public readonly record struct Judgement(JudgementKind Verdict, string Reason)
{
    /// <summary>It may.</summary>
    public static Judgement Accepted { get; } = new(JudgementKind.Accepted, "");

    /// <summary>Whether it may.</summary>
    public bool IsAccepted => Verdict == JudgementKind.Accepted;

    /// <summary>It may perhaps later.</summary>
    /// <param name="reason">Why not now.</param>
    /// <returns>The judgement.</returns>
    public static Judgement Defer(string reason) => new(JudgementKind.Deferred, reason);

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

    /// <summary>Never: its disk does not hold what the member promised, or is a copy.</summary>
    Refused,
}
