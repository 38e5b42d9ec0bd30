using Cairn.Protocol.Peers;
using Cairn.State;

namespace Cairn.Server.Leases;

/// <summary>What a member was told of the lease clock of a leader, and what its own log says besides. Gone when the process ends.</summary>
/// <remarks>
/// <para>
/// A renewal is acknowledged once a quorum was told of it (or the log). So what a quorum remembers, of which each was told everything, lacks no renewal, and the
/// next leader goes on with the latest end that any of them knows. Three things could make it wrong, and are looked for. A leader in between who told nobody: it
/// has an entry in the log, so the term that is asked about is that of the last entry before those of the new leader. A former leader who still tells: whoever
/// was asked hears nobody of an earlier term. A lease that was granted anew under its id, or renewed by way of the log, or voters that changed, after somebody was told:
/// the log says so with an entry behind what the leader had applied then, and such a memory is not used.
/// </para>
/// <para>Any thread; one lock, no callbacks.</para>
/// </remarks>
/// <param name="applied">What the state of this member held when the process began: of entries up to that it is not known which leases they were about.</param>
internal sealed class LeaseMemory(AppliedPosition applied)
{
    // As many as in a message that tells.
    private const int LeasesAnAnswerMax = LeaseListener.LeasesAMessageMax;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, long> _deadlines = [];
    private readonly Dictionary<long, ulong> _mentioned = [];
    private ulong _allMentioned = applied.Index;
    private ulong _entryTerm = applied.Term;
    private ulong _formerTerm;
    private ulong _promised;
    private ulong _term;
    private ulong _number;
    private ulong _applied;
    private long _now;
    private bool _isWhole;

    /// <summary>Learns what an entry did to leases or voters. The apply loop only, before others see it.</summary>
    /// <param name="term">Term of the entry.</param>
    /// <param name="index">Its index.</param>
    /// <param name="effect">What it did.</param>
    public void Observe(ulong term, ulong index, ApplyEffect? effect)
    {
        // Most entries say nothing of leases or voters, and only the apply loop changes the term that is looked at.
        if (term == _entryTerm && effect is not (LeaseGranted or LeaseRevoked or LeasesCheckpointed or MembersChanged))
        {
            return;
        }

        lock (_lock)
        {
            if (term != _entryTerm)
            {
                (_formerTerm, _entryTerm) = (_entryTerm, term);
            }

            switch (effect)
            {
                case LeaseGranted granted:
                    _mentioned[granted.Lease.Id] = index;
                    break;
                case LeaseRevoked revoked:
                    _mentioned.Remove(revoked.Id);
                    break;
                case LeasesCheckpointed checkpointed:
                    foreach (var lease in checkpointed.Leases)
                    {
                        _mentioned[lease.Id] = index;
                    }

                    break;
                case MembersChanged:
                    _allMentioned = index;
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Learns that the state is another, received as a whole. The apply loop only.</summary>
    /// <param name="to">What it holds.</param>
    public void Restart(AppliedPosition to)
    {
        lock (_lock)
        {
            _mentioned.Clear();
            (_allMentioned, _entryTerm, _formerTerm) = (to.Index, to.Term, 0);
        }
    }

    /// <summary>The term of the last entry before those of a leader.</summary>
    /// <param name="term">Term of the leader, whose entries were the last to be applied.</param>
    /// <returns>The term; 0 if it is not known.</returns>
    public ulong FindFormer(ulong term)
    {
        lock (_lock)
        {
            return term == _entryTerm ? _formerTerm : 0;
        }
    }

    /// <summary>Is told by a leader.</summary>
    /// <param name="news">What.</param>
    /// <returns>False if it does not follow what was told before, or another leader is heard now.</returns>
    public bool Hear(LeaseNews news)
    {
        lock (_lock)
        {
            var follows = news.Begins
                ? news.Term > _term || (news.Term == _term && news.Number > _number)
                : news.Term == _term && news.Number == _number + 1;
            if (!follows || news.Term < _promised || news.Ids.Count != news.Deadlines.Count)
            {
                return false;
            }

            if (news.Begins)
            {
                _deadlines.Clear();
                _isWhole = false;
            }

            (_term, _number) = (news.Term, news.Number);
            for (var i = 0; i < news.Ids.Count; i++)
            {
                if (news.Deadlines[i] == 0)
                {
                    _deadlines.Remove(news.Ids[i]);
                }
                else
                {
                    _deadlines[news.Ids[i]] = news.Deadlines[i];
                }
            }

            if (news.IsAll)
            {
                (_isWhole, _applied, _now) = (true, news.Applied, news.Now);
            }

            return true;
        }
    }

    /// <summary>Says what it was told, and hears nobody of an earlier term from now on.</summary>
    /// <param name="question">What a new leader wants to know.</param>
    /// <returns>The answer, or a part of it.</returns>
    public LeaseRecollection Recall(LeaseRecall question)
    {
        lock (_lock)
        {
            var isOld = question.Term < _promised;
            _promised = Math.Max(_promised, question.Term);
            if (isOld || question.Former == 0 || question.Former != _term || !_isWhole)
            {
                return new LeaseRecollection();
            }

            var answer = new LeaseRecollection { IsWhole = true, Applied = _applied, Now = _now, IsMore = _deadlines.Count > question.Skip + LeasesAnAnswerMax };
            foreach (var (id, deadline) in _deadlines.Skip((int)Math.Min(question.Skip, int.MaxValue)).Take(LeasesAnAnswerMax))
            {
                answer.Ids.Add(id);
                answer.Deadlines.Add(deadline);
            }

            return answer;
        }
    }

    /// <summary>Finds out what leases had left when the former leader fell, as far as a quorum knows.</summary>
    /// <param name="recollections">What the members of a quorum were told, this one among them.</param>
    /// <returns>Leases and the time that they had left; those are missing of which it is not known.</returns>
    public Dictionary<long, TimeSpan> Judge(IReadOnlyList<LeaseRecollection> recollections)
    {
        Invariant.Holds(recollections.All(static each => each.IsWhole && each.Ids.Count == each.Deadlines.Count));
        var known = recollections.Min(static each => each.Applied);
        var now = recollections.Max(static each => each.Now);
        var ends = new Dictionary<long, (long Deadline, int Count)>();
        foreach (var each in recollections)
        {
            for (var i = 0; i < each.Ids.Count; i++)
            {
                var (deadline, count) = ends.GetValueOrDefault(each.Ids[i]);
                ends[each.Ids[i]] = (Math.Max(deadline, each.Deadlines[i]), count + 1);
            }
        }

        lock (_lock)
        {
            return known < _allMentioned
                ? []
                : ends.Where(end => end.Value.Count == recollections.Count && _mentioned.GetValueOrDefault(end.Key) <= known)
                    .ToDictionary(static end => end.Key, end => TimeSpan.FromMilliseconds(Math.Max(0, end.Value.Deadline - now)));
        }
    }
}
