using Cairn.Protocol;
using Cairn.Raft;
using Cairn.Server.Auth;
using Cairn.Server.Disks;
using Cairn.Server.Healing;
using Cairn.Server.Leases;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Metrics;
using Cairn.Server.Peers;
using Cairn.Server.Proposals;
using Cairn.Server.Reads;
using Cairn.Server.Recovery;
using Cairn.Server.Transfer;
using Cairn.Server.Upkeep;
using Cairn.Server.Watch;
using Cairn.State;
using Cairn.State.Auth;
using Cairn.Storage.Wal;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Cairn.Server;

/// <summary>The loops of a node and what they share; started and stopped as one.</summary>
internal sealed class NodeRuntime
{
    // A disk that works needs milliseconds; one that hangs may hang for ever.
    private static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DrainPause = TimeSpan.FromMilliseconds(10);

    private readonly TaskCompletionSource<Exception?> _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly AsyncSignal _versionWake = new();
    private readonly AsyncSignal _introductionsWake = new();
    private readonly AsyncSignal _tokenWake = new();
    private readonly AsyncSignal _recoveryWake = new();
    private readonly IDisposable _lock;
    private readonly WriteAheadLog _wal;
    private readonly FoundCluster? _joined;
    private readonly TimeSpan _requestTimeout;
    private ITimer? _ticker;
    private ITimer? _progressTicker;
    private Task _loops = Task.CompletedTask;
    private Task _raftLoopTask = Task.CompletedTask;
    private Task _housekeepingTask = Task.CompletedTask;
    private Task _diskCare = Task.CompletedTask;
    private Task _publication = Task.CompletedTask;
    private Task _introductions = Task.CompletedTask;
    private Task _versionMonitor = Task.CompletedTask;
    private Task _healing = Task.CompletedTask;
    private Task _tokenKeeper = Task.CompletedTask;
    private Exception? _failure;
    private int _stopping;

    /// <summary>Puts a node together; nothing runs yet.</summary>
    /// <param name="opened">What was opened.</param>
    public NodeRuntime(OpenedNode opened)
    {
        Options = opened.Options;
        World = opened.World;
        Sight = new PeerSight(opened.MemberId, opened.Process, opened.End);
        Token = opened.Identity.Token;
        Memory = opened.Memory;
        State = opened.State;
        RevisionLog = opened.RevisionLog;
        Logger = opened.World.LoggerFactory.CreateLogger("cairn.server");
        _lock = opened.Lock;
        _wal = opened.Wal;
        _joined = opened.Joined;
        _requestTimeout = TimeSpan.FromSeconds(5) + (2 * Options.ElectionTimeout);
        Headers = new HeaderSource(opened.ClusterId, opened.MemberId) { Term = opened.Log.HardState.Term };
        Facts = new NodeFacts
        {
            Applied = State.Applied.Index,
            AppliedTerm = State.Applied.Term,
            Committed = opened.Log.HardState.Commit,
            Durable = opened.Log.LastIndex,
            Syncs = new SyncWindow(Time),
        };
        Ids = new RequestIds(opened.MemberId, Time.GetUtcNow());
        Slow = new Requests.SlowRequests(Time, Options.WarnApplyAfter, Logger, Metrics.SlowApplies);
        Proposals = new ProposalTable(Time);
        Writes = new WriteDesk(this);
        ReadRounds = new ReadRounds(Ids, Time, _requestTimeout, Metrics);
        Confirmation = new Confirmation(this);
        Gate.Open(Facts.Applied);
        Auth = new AuthGate(this);
        Leases = new LeaseClock(Time, Options.HeartbeatInterval, Options.ElectionTimeout);
        LeaseTeller = new LeaseTeller(this);
        Hub = new WatchHub(new WatchHistory(State), Headers, opened.World.Seed, Options.RequestBytesMax, Time) { OnDamage = damage => Disks!.Damage.Note(damage) };
        Changes = new MembershipChanges(this);
        Healer = new Healer(this);
        Departure = new Departure(this);
        Recovery = new LostQuorum(this);
        Hashes = new HashCheck(this);
        Transfer = new StateTransfer(this);
        Fence = new PeerFence(this, opened.Core.BasicStatus.HardState);
        RaftLoop = LoopAssembly.MakeRaftLoop(this, opened);
        ApplyLoop = LoopAssembly.MakeApplyLoop(this, opened);
        Disks = new DiskCare(this);
        Housekeeping = new Housekeeping(this, opened.Manifests, opened.Identity, opened.CheckpointRevision);
    }

    /// <summary>What the node was told.</summary>
    public NodeOptions Options { get; }

    /// <summary>What the node touches of the world.</summary>
    public NodeWorld World { get; }

    /// <summary>The cluster's token, as this directory was founded with.</summary>
    public string Token { get; }

    /// <summary>What this process shows with everything that it says to other members.</summary>
    public PeerSight Sight { get; }

    /// <summary>What tells this data directory and this process from all others.</summary>
    public ProcessIdentity Process => Sight.Process;

    /// <summary>What this member remembers for itself.</summary>
    public MemberMemory Memory { get; }

    /// <summary>Hears only processes that may speak for their members.</summary>
    public PeerFence Fence { get; }

    /// <summary>Source of time.</summary>
    public TimeProvider Time => World.Time;

    /// <summary>The state. Its view may be read from any thread; everything else is the apply loop's.</summary>
    public StateMachine State { get; }

    /// <summary>The state as readers see it now.</summary>
    public ReadView View => State.View;

    /// <summary>The segments.</summary>
    public Storage.Revisions.RevisionLog RevisionLog { get; }

    /// <summary>Where log lines go.</summary>
    public ILogger Logger { get; }

    /// <summary>Makes headers.</summary>
    public HeaderSource Headers { get; }

    /// <summary>What the loops let others know.</summary>
    public NodeFacts Facts { get; }

    /// <summary>Makes ids.</summary>
    public RequestIds Ids { get; }

    /// <summary>Proposals that somebody waits for.</summary>
    public ProposalTable Proposals { get; }

    /// <summary>Who takes writes.</summary>
    public WriteDesk Writes { get; }

    /// <summary>Says which requests took long.</summary>
    public Requests.SlowRequests Slow { get; }

    /// <summary>Reads that wait for a confirmation.</summary>
    public ReadRounds ReadRounds { get; }

    /// <summary>What a linearizable read waits for.</summary>
    public Confirmation Confirmation { get; }

    /// <summary>Readers that wait for an index.</summary>
    public AppliedGate Gate { get; } = new();

    /// <summary>Keeps the time of leases.</summary>
    public LeaseClock Leases { get; }

    /// <summary>Has other members remember it.</summary>
    public LeaseTeller LeaseTeller { get; }

    /// <summary>Finds out who asks, and whether they may.</summary>
    public AuthGate Auth { get; }

    /// <summary>Brings changes to those who watch.</summary>
    public WatchHub Hub { get; }

    /// <summary>Hands states from member to member.</summary>
    public StateTransfer Transfer { get; }

    /// <summary>Owner of the core.</summary>
    public RaftLoop RaftLoop { get; }

    /// <summary>Owner of the state.</summary>
    public ApplyLoop ApplyLoop { get; }

    /// <summary>What is done about the disk.</summary>
    public DiskCare Disks { get; }

    /// <summary>Work that may wait for the disk.</summary>
    public Housekeeping Housekeeping { get; }

    /// <summary>Proposes membership changes.</summary>
    public MembershipChanges Changes { get; }

    /// <summary>What happens when this member was removed.</summary>
    public Departure Departure { get; }

    /// <summary>What is done while there is no quorum.</summary>
    public LostQuorum Recovery { get; }

    /// <summary>Compares the hash of the key space with those of other members.</summary>
    public HashCheck Hashes { get; }

    /// <summary>Why the node ends although nothing failed: it left its cluster, or its epoch ended, or it sets its store aside; null if none. Set before <see cref="StopAsync"/>.</summary>
    public Exception? Departed { get; set; }

    /// <summary>Mends the membership while this member leads.</summary>
    public Healer Healer { get; }

    /// <summary>Counts.</summary>
    public ServerMetrics Metrics { get; } = new();

    /// <summary>Completes when this member knows a leader and has published its attributes.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Completes when the node has stopped.</summary>
    public Task<Exception?> Stopped => _stopped.Task;

    /// <summary>Why the node serves nothing any more; null while it does.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>Whether the node stops or has stopped.</summary>
    public bool IsStopping => Volatile.Read(ref _stopping) != 0;

    /// <summary>Starts the loops.</summary>
    public void Start()
    {
        ApplyLoop.Removed += StopAsRemoved;
        ApplyLoop.TellPeers();
        foreach (var member in _joined?.Members ?? [])
        {
            World.Transport?.Introduce(new PeerAddress(member.Id, member.PeerUrls));
        }

        _loops = Task.WhenAll(Guard(Hub.RunAsync()), Guard(ApplyLoop.RunAsync()), Guard(LeaseTeller.RunAsync()));
        _raftLoopTask = Guard(RaftLoop.RunAsync(ApplyLoop));
        _housekeepingTask = Guard(Housekeeping.RunAsync());
        _diskCare = Guard(Disks.RunAsync());
        _publication = Guard(Publication.RunAsync(this));
        _introductions = Guard(Introductions.RunAsync(this, _introductionsWake));
        _versionMonitor = Guard(ClusterVersion.MonitorAsync(this, _versionWake));
        _healing = Task.WhenAll(Guard(Healer.RunAsync()), Guard(Hashes.RunAsync()), Guard(Recovery.RunAsync(_recoveryWake)));
        _tokenKeeper = Guard(new TokenKeeper(this).RunAsync(_tokenWake));
        _ticker = Time.CreateTimer(static state => ((NodeRuntime)state!).OnTick(), this, Options.HeartbeatInterval, Options.HeartbeatInterval);
        _progressTicker = Time.CreateTimer(
            static state => ((NodeRuntime)state!).Hub.AnnounceProgress(), this, Options.WatchProgressInterval, Options.WatchProgressInterval);
    }

    /// <summary>Says that this member serves its clients.</summary>
    public void BecomeReady() => _ready.TrySetResult();

    /// <summary>Sends a client's request through the log and waits for what the state machine says.</summary>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>What became of it.</returns>
    public ValueTask<ProposalOutcome> ProposeAsync(int field, IMessage request, RequestContext context)
    {
        var refusal = JudgeRequest(context) is var judged && judged == NodeError.None && Memory.Loss.Length > 0 ? NodeError.Corrupt : judged;
        if (refusal != NodeError.None)
        {
            return new(new ProposalOutcome(refusal, null));
        }

        return View.Auth.IsEnabled ? Auth.ProposeAsync(field, request, context) : ProposeOwnAsync(field, request, context);
    }

    /// <summary>As <see cref="ProposeAsync(int, IMessage, RequestContext)"/>, for requests that the member itself makes: a learner may, too.</summary>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>What became of it.</returns>
    public ValueTask<ProposalOutcome> ProposeOwnAsync(int field, IMessage request, RequestContext context) =>
        ProposeAsync(field, request, AuthIdentity.None, context);

    /// <summary>As <see cref="ProposeOwnAsync"/>, for somebody who was recognised.</summary>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <param name="request">The request.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="context">Under which conditions.</param>
    /// <returns>What became of it.</returns>
    public ValueTask<ProposalOutcome> ProposeAsync(int field, IMessage request, AuthIdentity identity, RequestContext context)
    {
        var refusal = Writes.Judge() is var judged && judged == NodeError.None && Writes.IsBetterElsewhere(field) ? NodeError.DiskUnusable : judged;
        if (refusal != NodeError.None)
        {
            return Writes.TakeElsewhereAsync(refusal, field, request, identity, context);
        }

        var header = new RequestHeader { ID = Ids.Next(), Username = identity.UserName, AuthRevision = identity.Revision };
        var data = ProposalEncoding.Encode(field, request, header);
        if (data.Length > Options.RequestBytesMax)
        {
            return new(new ProposalOutcome(NodeError.RequestTooLarge, null));
        }

        return WaitAsync(new Proposal(header.ID, data, Time.GetTimestamp()), context);
    }

    /// <summary>Sends a membership change through the log and waits for what the state machine says; a learner may, too: it tells where it is. Clients were judged before.</summary>
    /// <param name="make">Makes the change, given its id.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>What became of it.</returns>
    public ValueTask<ProposalOutcome> ProposeAsync(Func<ulong, ConfChange> make, RequestContext context)
    {
        var refusal = JudgeRequest(context, isForLearners: true) is var judged && judged == NodeError.None ? Writes.Judge() : judged;
        if (refusal != NodeError.None)
        {
            return new(new ProposalOutcome(refusal, null));
        }

        var id = Ids.Next();
        return WaitAsync(new Proposal(id, [], Time.GetTimestamp()) { Change = make(id) }, context);
    }

    /// <summary>Makes the answer to a proposal.</summary>
    /// <typeparam name="T">The response message.</typeparam>
    /// <param name="outcome">What became of it.</param>
    /// <returns>The answer, its header complete.</returns>
    public Answer<T> Answer<T>(in ProposalOutcome outcome)
        where T : class, IMessage
    {
        if (outcome.Error != NodeError.None)
        {
            return outcome.Error;
        }

        var result = outcome.Result!.Value; // There is a result unless there is an error.
        if (result.Error != StoreError.None)
        {
            return result.Error.ToNodeError();
        }

        var response = (T)result.ToResponse()!; // Every request that is proposed this way has a response.
        Headers.Complete(HeaderSource.HeaderOf(response));
        return response;
    }

    /// <summary>Tells whether a request may be served at all.</summary>
    /// <param name="context">Who asks.</param>
    /// <param name="isForLearners">Whether learners serve it too.</param>
    /// <returns>None, or the refusal.</returns>
    public NodeError JudgeRequest(RequestContext context, bool isForLearners = false)
    {
        if (IsLeaving)
        {
            return NodeError.Stopped;
        }

        if (Facts.IsLearner && !isForLearners)
        {
            return NodeError.NotSupportedForLearner;
        }

        return Hashes.Distrusted is not null ? NodeError.Corrupt : context.RequireLeader && Facts.Leader == 0 ? NodeError.NoLeader : NodeError.None;
    }

    /// <summary>Ends the node because something failed that it cannot go on without.</summary>
    /// <param name="exception">What failed.</param>
    public void Fail(Exception exception)
    {
        if (Interlocked.CompareExchange(ref _failure, exception, null) is null)
        {
            Logger.NodeFailed(exception);
            _ = StopAsync();
        }
    }

    /// <summary>Stops serving at once, and the node later, because this member is not part of the cluster any more. Any thread.</summary>
    public void StopAsRemoved()
    {
        if (Departure.TryBegin())
        {
            _ = Guard(Departure.RunAsync());
        }
    }

    /// <summary>Stops everything, in order: intake, loops, a last manifest, files.</summary>
    /// <returns>Completes when all is closed.</returns>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stopping, 1) != 0)
        {
            await Stopped;
            return;
        }

        await DrainAsync();
        _ticker?.Dispose();
        _progressTicker?.Dispose();
        _versionWake.Set();
        _introductionsWake.Set();
        Healer.Stop();
        Hashes.Stop();
        LeaseTeller.Stop();
        Transfer.Dispose();
        _tokenWake.Set();
        _recoveryWake.Set();
        RaftLoop.Stop();
        Proposals.RefuseAll(NodeError.Stopped);
        Hub.Stop();
        Housekeeping.Stop();
        Disks.Stop();
        await Task.WhenAll(_publication, _introductions, _versionMonitor, _healing, _tokenKeeper, _housekeepingTask, _diskCare, _raftLoopTask);
        await Guard(FinishAsync());
        ApplyLoop.Stop();
        await _loops;
        SendEverybodyAway();
        Close();
        _ready.TrySetCanceled();
        _stopped.TrySetResult(Failure ?? Departed);
    }

    /// <summary>Lets what was accepted finish, for a moment: not longer, since the disk may hang.</summary>
    private async Task DrainAsync()
    {
        var began = Time.GetTimestamp();
        while (Failure is null && Proposals.Count > 0 && Time.GetElapsedTime(began) < DrainMax)
        {
            await Task.Delay(DrainPause, Time);
        }
    }

    private void SendEverybodyAway()
    {
        Proposals.RefuseAll(NodeError.Stopped);
        ReadRounds.Stop();
        Gate.Close();
        Leases.Cease();
    }

    private void Close()
    {
        _wal.Dispose();
        RevisionLog.Dispose();
        _lock.Dispose();
        (World.Disk as IDisposable)?.Dispose();
    }

    private async Task FinishAsync()
    {
        if (Failure is not null)
        {
            return;
        }

        await Housekeeping.FinishAsync();
        try
        {
            await _wal.FlushAsync();
        }
        catch (IOException exception)
        {
            // Only a commit index rode along, which nobody was promised.
            Logger.LogWriteFailed(exception.Message);
        }
    }

    private void OnTick()
    {
        RaftLoop.Tick();

        // The streams of clients that want to know end after three election timeouts.
        if (Facts.Leader == 0 && Time.GetElapsedTime(Facts.LeaderLostAt) >= 3 * Options.ElectionTimeout)
        {
            Hub.EndStreams(requireLeaderOnly: true, NodeError.NoLeader);
        }
    }

    /// <summary>Whether nothing is served any more.</summary>
    public bool IsLeaving => IsStopping || Departure.IsUnderWay || Hashes.Aside.IsUnderWay;

    private ValueTask<ProposalOutcome> WaitAsync(Proposal proposal, RequestContext context)
    {
        if (!Proposals.TryAdd(proposal))
        {
            return new(new ProposalOutcome(NodeError.TooManyRequests, null));
        }

        if (!RaftLoop.TryPropose(proposal))
        {
            Proposals.Refuse(proposal, IsStopping ? NodeError.Stopped : NodeError.TooManyRequests);
        }

        return proposal.WaitAsync(Proposals, context.Cancelled);
    }

    /// <summary>Ends the node when a loop fails. This is the top of every loop: the one place where any exception is caught.</summary>
    /// <param name="loop">The loop.</param>
    /// <returns>Completes with the loop, and never fails.</returns>
    public async Task Guard(Task loop)
    {
        try
        {
            await loop;
        }
        catch (Exception exception)
        {
            // A loop that failed has lost the thread of its state: the node ends, and a restart begins from what is durable.
            Fail(exception);
        }
    }
}
