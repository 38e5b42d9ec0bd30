using Cairn.Raft.Log;
using Cairn.Raft.Progress;

namespace Cairn.Raft.Roles;

/// <summary>One member's view of the cluster: term, vote, role, log, configuration. Owned by <see cref="RaftNode"/>; not thread-safe.</summary>
/// <remarks>
/// Holds what every role shares and the transitions between roles; what a role does with a message is in the role's own class.
/// Source: etcd-io/raft, raft.go; Raft paper, figure 2.
/// </remarks>
internal sealed class RaftCore
{
    private readonly Prng _prng;
    private readonly TermGate _termGate;
    private readonly FollowerRole _follower;
    private readonly CandidateRole _candidate;
    private readonly LeaderRole _leader;

    public RaftCore(RaftConfig config)
    {
        Config = config;
        _prng = new Prng(config.Seed);
        var applyingBytesMax = config.ApplyingBytesMax == 0 ? config.MessageBytesMax : config.ApplyingBytesMax;
        Log = new RaftLog(config.Log, Math.Max(applyingBytesMax, 1), config.Trace);
        Tracker = NewTracker();
        Outbox = new Outbox(config.Id);
        _termGate = new TermGate(this);
        Election = new Election(this);
        Receiver = new LogReceiver(this);
        Configuration = new ConfigurationSwitch(this);
        _follower = new FollowerRole(this);
        _candidate = new CandidateRole(this);
        _leader = new LeaderRole(this);
        Start();
    }

    public RaftConfig Config { get; }

    public ulong Id => Config.Id;

    public ulong Term { get; private set; }

    /// <summary>Whom this member voted for in <see cref="Term"/>; 0 is nobody.</summary>
    public ulong Vote { get; set; }

    /// <summary>The leader of <see cref="Term"/>, as far as known; 0 is nobody.</summary>
    public ulong Leader { get; set; }

    public RaftRole Role { get; private set; }

    public RaftLog Log { get; }

    public ProgressTracker Tracker { get; private set; }

    public Outbox Outbox { get; }

    public Election Election { get; }

    /// <summary>Takes what a leader sends; the same for every role that hears of one.</summary>
    public LogReceiver Receiver { get; }

    public ConfigurationSwitch Configuration { get; }

    public LeaderRole LeaderRole => _leader;

    public IRaftTrace? Trace => Config.Trace;

    /// <summary>Ticks since the election timeout was last satisfied: since the leader's last word, or since the leader's last quorum check.</summary>
    public int ElectionElapsed { get; set; }

    /// <summary>Ticks without a leader after which this member campaigns: drawn anew with every role.</summary>
    public int RandomizedElectionTicks { get; set; }

    public bool IsLeader => Role == RaftRole.Leader;

    public HardState HardState => new(Term, Vote, Log.Committed);

    public SoftState SoftState => new(Leader, Role);

    /// <summary>Whether this member can become leader: a voter, with no snapshot waiting to be applied.</summary>
    public bool IsPromotable => Tracker.Peers.Find(Id) is { IsLearner: false } && !Log.HasSnapshot;

    /// <summary>Whether committed entries that are not durable here may be applied.</summary>
    /// <remarks>Without asynchronous writes the owner persists before it applies, within one Ready.</remarks>
    public bool AllowsUnstableApply =>
        !Config.AsyncStorageWrites || (Config.ApplyUnstable && Log.Unstable.PayloadBytes <= Config.ApplyUnstableBytesMax);

    public ProgressTracker NewTracker() => new(Config.InflightMessagesMax, Config.InflightBytesMax);

    public void UseTracker(ProgressTracker tracker) => Tracker = tracker;

    /// <summary>Takes one message, local or from a member, that has been checked.</summary>
    public RaftError Step(Message message)
    {
        if (!_termGate.Admits(message))
        {
            return RaftError.None;
        }

        Invariant.Holds(message.Term == 0 || message.Term == Term || MessageTypes.IsVoteRequest(message.Type) || message.Type == MessageType.PreVoteResp);
        switch (message.Type)
        {
            case MessageType.Hup:
                Election.Start(Config.PreVote ? CampaignKind.PreElection : CampaignKind.Election);
                return RaftError.None;
            case MessageType.StorageAppendResp:
                AppendedTo(message);
                return RaftError.None;
            case MessageType.StorageApplyResp:
                AppliedEntries(message.Entries.Span);
                return RaftError.None;
            case MessageType.Vote:
            case MessageType.PreVote:
                Election.AnswerVoteRequest(message);
                return RaftError.None;
            default:
                return StepByRole(message);
        }
    }

    /// <summary>Lets one tick pass.</summary>
    public void Tick()
    {
        if (IsLeader)
        {
            _leader.Tick();
            return;
        }

        ElectionElapsed++;
        if (IsPromotable && ElectionElapsed >= RandomizedElectionTicks)
        {
            ElectionElapsed = 0;
            Step(new Message { Type = MessageType.Hup, From = Id });
        }
    }

    public void BecomeFollower(ulong term, ulong leader)
    {
        Invariant.Holds(term >= Term);
        Reset(term);
        Leader = leader;
        Role = RaftRole.Follower;
        Trace?.Write(RaftTraceLevel.Info, $"{Id:x} became follower at term {Term}");
    }

    public void BecomeCandidate()
    {
        Invariant.Holds(Role != RaftRole.Leader);
        Reset(Term + 1);
        Vote = Id;
        Role = RaftRole.Candidate;
        Trace?.Write(RaftTraceLevel.Info, $"{Id:x} became candidate at term {Term}");
    }

    /// <summary>Asks before acting: neither term nor vote change.</summary>
    public void BecomePreCandidate()
    {
        Invariant.Holds(Role != RaftRole.Leader);
        Tracker.ResetVotes();
        Leader = LocalTarget.None;
        Role = RaftRole.PreCandidate;
        Trace?.Write(RaftTraceLevel.Info, $"{Id:x} became pre-candidate at term {Term}");
    }

    public void BecomeLeader()
    {
        Invariant.Holds(Role == RaftRole.Candidate);
        Invariant.Holds(Vote == Id);
        Reset(Term);
        Leader = Id;
        Role = RaftRole.Leader;
        _leader.BeginTerm();
        Trace?.Write(RaftTraceLevel.Info, $"{Id:x} became leader at term {Term}");
    }

    /// <summary>The state machine has applied up to an index. A leader leaves a joint configuration that wants to be left.</summary>
    public void AppliedTo(ulong index, ulong bytes)
    {
        Log.AppliedTo(Math.Max(index, Log.Applied), bytes);
        if (Tracker.Config.AutoLeave && IsLeader)
        {
            _leader.Proposals.LeaveJointIfApplied();
        }
    }

    /// <summary>A snapshot is durable and applied; valid in any later term, since what it covers is committed.</summary>
    public void AppliedSnapshot(Snapshot snapshot)
    {
        Log.Unstable.StableSnapshotTo(snapshot.Index);
        AppliedTo(snapshot.Index, 0);
    }

    private RaftError StepByRole(Message message) => Role switch
    {
        RaftRole.Leader => _leader.Step(message),
        RaftRole.Follower => _follower.Step(message),
        _ => _candidate.Step(message),
    };

    private void AppendedTo(Message message)
    {
        if (message.Index != 0)
        {
            Log.Unstable.StableTo(new EntryId(message.LogTerm, message.Index));
        }

        if (message.Snapshot is { } snapshot)
        {
            AppliedSnapshot(snapshot);
        }
    }

    private void AppliedEntries(ReadOnlySpan<Entry> entries)
    {
        if (!entries.IsEmpty)
        {
            AppliedTo(entries[^1].Index, Wire.EntryWire.Size(entries));
            _leader.Proposals.ReduceUncommitted(EntryLimits.PayloadBytes(entries));
        }
    }

    private void Reset(ulong term)
    {
        if (Term != term)
        {
            Term = term;
            Vote = LocalTarget.None;
        }

        Leader = LocalTarget.None;
        ElectionElapsed = 0;
        RandomizedElectionTicks = Config.ElectionTicks + _prng.Below(Config.ElectionTicks);
        Tracker.ResetVotes();
        var last = Log.LastIndex;
        for (var i = 0; i < Tracker.Peers.Count; i++)
        {
            Tracker.Peers.At(i).Restart(match: Tracker.Peers.IdAt(i) == Id ? last : 0, next: last + 1);
        }

        _leader.Reset();
    }

    private void Start()
    {
        var (hardState, confState) = Config.Log.ReadInitialState();
        Configuration.Restore(confState);
        if (!hardState.IsEmpty)
        {
            Invariant.Holds(hardState.Commit <= Log.LastIndex, $"commit {hardState.Commit}, last {Log.LastIndex}");
            Log.CommitTo(hardState.Commit);
            Term = hardState.Term;
            Vote = hardState.Vote;
        }

        if (Config.Applied > 0)
        {
            // What was applied, or compacted, was committed, even if the commit index that is remembered lags behind.
            Log.CommitTo(Config.Applied);
            Log.AppliedTo(Config.Applied, 0);
        }

        BecomeFollower(Term, LocalTarget.None);
        var last = Log.LastId;
        Trace?.Write(
            RaftTraceLevel.Info,
            $"newRaft {Id:x} [peers: [{string.Join(',', Tracker.Config.Voters.All.Ids.Select(id => $"{id:x}"))}], term: {Term}, "
            + $"commit: {Log.Committed}, applied: {Log.Applied}, lastindex: {last.Index}, lastterm: {last.Term}]");
    }
}
