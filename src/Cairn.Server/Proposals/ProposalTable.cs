using Cairn.Server.Loops;

namespace Cairn.Server.Proposals;

/// <summary>The proposals that somebody waits for, by id.</summary>
/// <remarks>Any thread adds; the apply loop completes; the raft loop lets time run out. One lock, continuations outside it.</remarks>
/// <param name="time">Measures how long proposals wait.</param>
internal sealed class ProposalTable(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Proposal> _waiting = [];
    private readonly Queue<Proposal> _byAge = new();
    private long _bytes;

    /// <summary>Number of proposals that somebody waits for.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>Adds a proposal.</summary>
    /// <param name="proposal">A new one.</param>
    /// <returns>False if there are too many bytes already.</returns>
    public bool TryAdd(Proposal proposal)
    {
        lock (_lock)
        {
            if (_bytes + proposal.Data.Length > LoopLimits.PendingProposalBytesMax && _waiting.Count > 0)
            {
                return false;
            }

            _waiting.Add(proposal.Id, proposal);
            _bytes += proposal.Data.Length;
            _byAge.Enqueue(proposal);
            ForgetCompleted_NeedsLock();
            return true;
        }
    }

    /// <summary>Takes a proposal out.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The proposal; null if nobody waits here for that id.</returns>
    public Proposal? Take(ulong id)
    {
        lock (_lock)
        {
            return Take_NeedsLock(id);
        }
    }

    /// <summary>Ends a proposal with a refusal.</summary>
    /// <param name="proposal">The proposal.</param>
    /// <param name="error">The refusal.</param>
    public void Refuse(Proposal proposal, NodeError error)
    {
        Take(proposal.Id);
        proposal.TryComplete(new ProposalOutcome(error, null));
    }

    /// <summary>Ends some proposals with a refusal.</summary>
    /// <param name="which">Which.</param>
    /// <param name="error">The refusal.</param>
    /// <returns>How many.</returns>
    public int Refuse(Predicate<Proposal> which, NodeError error)
    {
        List<Proposal> refused;
        lock (_lock)
        {
            refused = [.. _waiting.Values.Where(proposal => which(proposal))];
        }

        foreach (var proposal in refused)
        {
            Refuse(proposal, error);
        }

        return refused.Count;
    }

    /// <summary>Ends the proposals that have waited too long.</summary>
    /// <param name="limit">How long is too long.</param>
    /// <param name="judge">Says what their clients are told.</param>
    /// <returns>How many.</returns>
    public int Expire(TimeSpan limit, Func<Proposal, NodeError> judge)
    {
        var expired = 0;
        while (TakeOlderThan(limit) is { } proposal)
        {
            proposal.TryComplete(new ProposalOutcome(judge(proposal), null));
            expired++;
        }

        return expired;
    }

    /// <summary>Ends all proposals.</summary>
    /// <param name="error">What their clients are told.</param>
    public void RefuseAll(NodeError error) => Expire(TimeSpan.MinValue, _ => error);

    private Proposal? TakeOlderThan(TimeSpan limit)
    {
        lock (_lock)
        {
            ForgetCompleted_NeedsLock();
            if (_byAge.TryPeek(out var oldest) && time.GetElapsedTime(oldest.Began) >= limit)
            {
                _byAge.Dequeue();
                Take_NeedsLock(oldest.Id);
                return oldest;
            }
        }

        return null;
    }

    private Proposal? Take_NeedsLock(ulong id)
    {
        if (!_waiting.Remove(id, out var proposal))
        {
            return null;
        }

        _bytes -= proposal.Data.Length;
        return proposal;
    }

    /// <summary>Drops finished proposals from the front of the queue: all but a few are finished in the order in which they came.</summary>
    private void ForgetCompleted_NeedsLock()
    {
        while (_byAge.TryPeek(out var oldest) && oldest.IsCompleted)
        {
            _byAge.Dequeue();
        }
    }
}
