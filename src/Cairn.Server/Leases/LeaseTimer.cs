namespace Cairn.Server.Leases;

/// <summary>What the clock knows of one lease. Owned by the clock's lock.</summary>
/// <param name="id">Id of the lease.</param>
/// <param name="ttl">Granted time to live.</param>
internal sealed class LeaseTimer(long id, TimeSpan ttl)
{
    /// <summary>Id of the lease.</summary>
    public long Id => id;

    /// <summary>Granted time to live.</summary>
    public TimeSpan Ttl => ttl;

    /// <summary>When it ends, in time of the clock.</summary>
    public TimeSpan Deadline { get; set; }

    /// <summary>Set while its revocation has been decided but not applied: who wants to renew it waits for the outcome.</summary>
    public TaskCompletionSource? Revocation { get; set; }

    /// <summary>Whether the queue of deadlines has it; once at most.</summary>
    public bool HasDeadlineQueued { get; set; }

    /// <summary>Whether nobody has renewed it since this member leads.</summary>
    public bool IsUnheard { get; set; }

    /// <summary>Time that it has left by the state; zero if the state does not say.</summary>
    public TimeSpan Checkpointed { get; set; }

    /// <summary>Whether the state says what it has left.</summary>
    public bool IsCheckpointed => Checkpointed > TimeSpan.Zero;

    /// <summary>Whether a checkpoint of its idleness is proposed and not applied.</summary>
    public bool IsCheckpointUnderWay { get; set; }

    /// <summary>Whether the next leader could begin with less than its full time.</summary>
    public bool MayBeCheckpointed => IsCheckpointed || IsCheckpointUnderWay;

    /// <summary>Makes one that ends sooner.</summary>
    /// <param name="deadline">When.</param>
    /// <returns>The timer; no queue has it.</returns>
    public LeaseTimer EndingAt(TimeSpan deadline) => new(id, ttl)
    {
        Deadline = deadline,
        Checkpointed = Checkpointed,
        IsCheckpointUnderWay = IsCheckpointUnderWay,
        IsUnheard = IsUnheard,
    };
}
