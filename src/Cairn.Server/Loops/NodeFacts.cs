namespace Cairn.Server.Loops;

/// <summary>What the raft loop and the apply loop let the rest of the node know. Each field has one writer; any thread reads.</summary>
internal sealed class NodeFacts
{
    private string? _haltedBy;
    private long _writingSince;
    private long _unsyncedBytes;
    private ulong _leader;
    private ulong _leadingTerm;
    private ulong _committed;
    private ulong _applied;
    private ulong _appliedTerm;
    private ulong _durable;
    private bool _readsAreLocal;
    private bool _isOnlyVoter;
    private bool _isLearner;
    private long _leaderLostAt;
    private Exception? _writeFailure;

    /// <summary>The leader this member knows; 0 is none. Written by the raft loop.</summary>
    public ulong Leader
    {
        get => Volatile.Read(ref _leader);
        set => Volatile.Write(ref _leader, value);
    }

    /// <summary>Term in which this member leads; 0 if it does not. Written by the raft loop.</summary>
    public ulong LeadingTerm
    {
        get => Volatile.Read(ref _leadingTerm);
        set => Volatile.Write(ref _leadingTerm, value);
    }

    /// <summary>Highest committed index. Written by the raft loop.</summary>
    public ulong Committed
    {
        get => Volatile.Read(ref _committed);
        set => Volatile.Write(ref _committed, value);
    }

    /// <summary>Term of the entry at <see cref="Applied"/>. Written by the apply loop, before it.</summary>
    public ulong AppliedTerm
    {
        get => Volatile.Read(ref _appliedTerm);
        set => Volatile.Write(ref _appliedTerm, value);
    }

    /// <summary>Highest index whose effects readers see. Written by the apply loop, after publishing.</summary>
    public ulong Applied
    {
        get => Volatile.Read(ref _applied);
        set => Volatile.Write(ref _applied, value);
    }

    /// <summary>Highest index that this member's own disk has for sure. Written by the raft loop.</summary>
    public ulong Durable
    {
        get => Volatile.Read(ref _durable);
        set => Volatile.Write(ref _durable, value);
    }

    /// <summary>Whether the newest view is linearizable without asking anybody. Written by the raft loop; its conditions are there.</summary>
    public bool ReadsAreLocal
    {
        get => Volatile.Read(ref _readsAreLocal);
        set => Volatile.Write(ref _readsAreLocal, value);
    }

    /// <summary>Whether this member alone decides. Written by the raft loop.</summary>
    public bool IsOnlyVoter
    {
        get => Volatile.Read(ref _isOnlyVoter);
        set => Volatile.Write(ref _isOnlyVoter, value);
    }

    /// <summary>Whether this member does not vote. Written by the raft loop.</summary>
    public bool IsLearner
    {
        get => Volatile.Read(ref _isLearner);
        set => Volatile.Write(ref _isLearner, value);
    }

    /// <summary>Timestamp at which the last leader was lost; 0 if none ever was. Written by the raft loop.</summary>
    public long LeaderLostAt
    {
        get => Volatile.Read(ref _leaderLostAt);
        set => Volatile.Write(ref _leaderLostAt, value);
    }

    /// <summary>How long syncs of the log took lately. Written by the raft loop.</summary>
    public required Disks.SyncWindow Syncs { get; init; }

    /// <summary>Timestamp at which the batch of the log was begun that is under way; 0 if none is. Written by the raft loop.</summary>
    public long WritingSince
    {
        get => Volatile.Read(ref _writingSince);
        set => Volatile.Write(ref _writingSince, value);
    }

    /// <summary>Bytes of entries that wait for this member's own disk. Written by the raft loop, at each tick.</summary>
    public long UnsyncedBytes
    {
        get => Volatile.Read(ref _unsyncedBytes);
        set => Volatile.Write(ref _unsyncedBytes, value);
    }

    /// <summary>Why the log cannot be written now; null while it can. Written by the raft loop.</summary>
    public Exception? WriteFailure
    {
        get => Volatile.Read(ref _writeFailure);
        set => Volatile.Write(ref _writeFailure, value);
    }

    /// <summary>The damage that keeps an entry from being applied; null while entries are applied. Written by the apply loop.</summary>
    public string? HaltedBy
    {
        get => Volatile.Read(ref _haltedBy);
        set => Volatile.Write(ref _haltedBy, value);
    }
}
