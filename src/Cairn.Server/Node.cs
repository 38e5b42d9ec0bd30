using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Raft;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Reads;
using Cairn.Server.Requests;
using Cairn.Server.Watch;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Microsoft.Extensions.Logging;

namespace Cairn.Server;

/// <summary>One member at work, seen from the front. Every method may be called from any thread.</summary>
/// <remarks>
/// Expected refusals are values (<see cref="NodeError"/>). Exceptions mean that the environment failed or that data is damaged; the node says so in
/// <see cref="Stopped"/> and stops serving.
/// </remarks>
public sealed class Node : IAsyncDisposable
{
    private readonly NodeRuntime _runtime;
    private readonly KeyValueRequests _keyValues;
    private readonly LeaseRequests _leases;
    private readonly MemberRequests _members;
    private readonly MaintenanceRequests _maintenance;
    private readonly HealRequests _heals;
    private readonly PeerRequests _peers;

    private Node(NodeRuntime runtime)
    {
        _runtime = runtime;
        _keyValues = new KeyValueRequests(runtime);
        _leases = new LeaseRequests(runtime);
        _members = new MemberRequests(runtime);
        _maintenance = new MaintenanceRequests(runtime);
        _heals = new HealRequests(runtime);
        _peers = new PeerRequests(runtime, _leases, _members, _heals);
        Auth = new AuthRequests(runtime);
    }

    /// <summary>Completes when this member knows a leader and has published its attributes.</summary>
    public Task Ready => _runtime.Ready;

    /// <summary>Completes when the node has stopped: null after <see cref="DisposeAsync"/>, else the failure that ended it.</summary>
    public Task<Exception?> Stopped => _runtime.Stopped;

    /// <summary>Id of this member.</summary>
    public ulong MemberId => _runtime.Headers.MemberId;

    /// <summary>Id of the cluster.</summary>
    public ulong ClusterId => _runtime.Headers.ClusterId;

    /// <summary>Users, roles and tokens.</summary>
    public AuthRequests Auth { get; }

    /// <summary>Raised, on a loop's thread, when the leader this member knows has changed; the argument is its id, 0 for none.</summary>
    public event Action<ulong>? LeaderChanged
    {
        add => _runtime.RaftLoop.LeaderChanged += value;
        remove => _runtime.RaftLoop.LeaderChanged -= value;
    }

    /// <summary>Whether a request failed because what it needs is damaged on this member's disk.</summary>
    /// <param name="failure">How it failed.</param>
    /// <returns>True if so: the log names file and offset, and healing is under way.</returns>
    public static bool IsDamage(Exception failure) => failure is Storage.CorruptionException;

    /// <summary>Opens (or founds) the member in <see cref="NodeOptions.DataDirectory"/> on the real disk and starts its loops.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="loggerFactory">Where its log lines go.</param>
    /// <param name="transport">Reaches the other members; null for a member that is alone.</param>
    /// <param name="calls">Asks the other members; null for a member that is alone.</param>
    /// <param name="reception">Answers the other members meanwhile; null for a member that is alone.</param>
    /// <param name="heavyWork">Where passwords are hashed; null for where they are asked for.</param>
    /// <param name="cancelled">Ends the search for a cluster.</param>
    /// <returns>A running node; it may still be catching up, see <see cref="Ready"/>.</returns>
    /// <exception cref="IOException">
    /// The data directory cannot be used, or another process uses it; or what is in it is damaged, or of a later version: the message says which file, and where.
    /// </exception>
    /// <exception cref="StartRefusedException">What it is told does not fit.</exception>
    public static async Task<Node> OpenAsync(
        NodeOptions options,
        ILoggerFactory loggerFactory,
        IPeerTransport? transport = null,
        IPeerCalls? calls = null,
        Reception? reception = null,
        Auth.IHeavyWork? heavyWork = null,
        CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var disk = new RealDisk(options.DataDirectory, DataDirectory.Wal, options.LogDirectory);
        Span<byte> seed = stackalloc byte[sizeof(ulong)];
        System.Security.Cryptography.RandomNumberGenerator.Fill(seed);
        var world = new NodeWorld
        {
            Disk = disk,
            Time = TimeProvider.System,
            Seed = BitConverter.ToUInt64(seed),
            LoggerFactory = loggerFactory,
            Transport = transport,
            Calls = calls,
            Reception = reception ?? new Reception(),
            HeavyWork = heavyWork ?? new Auth.InlineWork(),
        };
        try
        {
            await Disks.DirectoryGate.PassAsync(options, world, cancelled);
            return await StartAsync(options, world, cancelled);
        }
        catch (Exception e) when (e is CorruptionException or UnknownFormatException)
        {
            disk.Dispose();
            throw new IOException($"{(e is CorruptionException ? "data corruption in " : "")}{options.DataDirectory}: {e.Message}", e);
        }
        catch
        {
            // Whatever went wrong, nobody else would give the disk's threads back.
            disk.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="OpenAsync"/>, in a world of the caller's making.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">Everything it touches.</param>
    /// <param name="cancelled">Ends the search for a cluster.</param>
    /// <returns>A running node.</returns>
    /// <exception cref="IOException">The data directory cannot be used, or another process uses it.</exception>
    /// <exception cref="IOException">What is on disk is not what was written there, or of a later version; says which file, and where.</exception>
    /// <exception cref="StartRefusedException">What it is told does not fit.</exception>
    public static async Task<Node> StartAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(world);
        Disks.StartCheck.Admit(options, world.Disk);
        var runtime = new NodeRuntime(await NodeStart.OpenAsync(options, world, cancelled));
        var node = new Node(runtime);
        world.Transport?.Attach(node);
        if (options.ChecksHashAtStart)
        {
            await runtime.Hashes.CheckAtStartAsync();
        }

        world.Reception.Open(node.AnswerPeerAsync);
        runtime.Start();
        return node;
    }

    /// <summary>The id that a member has in the cluster that it founds with those that it was told of.</summary>
    /// <param name="options">What it is told; it is listed.</param>
    /// <returns>As etcd computes it, from peer URLs and token.</returns>
    public static ulong FoundingIdOf(NodeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Founding.FoundingRecords.Listed(options).First(member => member.Name == options.Name).Id;
    }

    /// <summary>Tells where this node stands.</summary>
    /// <returns>A new snapshot of the facts.</returns>
    public NodeStatus Look() => _maintenance.Look();

    /// <summary>Sets another limit of the key space on this member, until its process ends. Any thread.</summary>
    /// <param name="bytes">As <see cref="NodeOptions.QuotaBytes"/>.</param>
    public void ChangeQuota(long bytes) => _runtime.Housekeeping.Quota.Change(bytes);

    /// <summary>What is counted of the other members.</summary>
    internal Metrics.PeerMetrics PeerMetrics => _runtime.Metrics.Peers;

    /// <summary>How often this member, as leader, refused to promote a learner, by reason.</summary>
    public IReadOnlyList<KeyValuePair<NodeError, long>> RefusedPromotions => _runtime.Metrics.RefusedPromotions.Read();

    /// <summary>Reads all metrics.</summary>
    /// <returns>One sample a series.</returns>
    public IReadOnlyList<MetricSample> CollectMetrics() => Metrics.MetricsReport.Collect(_runtime, Look());

    /// <summary>Reads a range: linearizably, or from what this member has if the request says serializable.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<RangeAnswer>> RangeAsync(RangeRequest request, RequestContext context) => _keyValues.RangeAsync(request, context);

    /// <summary>As <see cref="RangeAsync"/>, in pieces of one revision.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<RangeChunks>> RangeStreamAsync(RangeRequest request, RequestContext context) =>
        _keyValues.RangeStreamAsync(request, context);

    /// <summary>Writes one key.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<PutResponse>> PutAsync(PutRequest request, RequestContext context) => _keyValues.PutAsync(request, context);

    /// <summary>Deletes a range.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<DeleteRangeResponse>> DeleteRangeAsync(DeleteRangeRequest request, RequestContext context) =>
        _keyValues.DeleteRangeAsync(request, context);

    /// <summary>Runs a transaction; one that only reads is served as a read.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<TxnResponse>> TxnAsync(TxnRequest request, RequestContext context) => _keyValues.TxnAsync(request, context);

    /// <summary>Drops history below a revision.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<CompactionResponse>> CompactAsync(CompactionRequest request, RequestContext context) =>
        _keyValues.CompactAsync(request, context);

    /// <summary>Grants a lease.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseGrantResponse>> LeaseGrantAsync(LeaseGrantRequest request, RequestContext context) =>
        _leases.GrantAsync(request, context);

    /// <summary>Revokes a lease and deletes its keys.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseRevokeResponse>> LeaseRevokeAsync(LeaseRevokeRequest request, RequestContext context) =>
        _leases.RevokeAsync(request, context);

    /// <summary>Renews a lease; TTL 0 says that it is gone.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseKeepAliveResponse>> LeaseKeepAliveAsync(LeaseKeepAliveRequest request, RequestContext context) =>
        _leases.KeepAliveAsync(request, context);

    /// <summary>Tells how long a lease has left; TTL -1 says that it is gone.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseTimeToLiveResponse>> LeaseTimeToLiveAsync(LeaseTimeToLiveRequest request, RequestContext context) =>
        _leases.TimeToLiveAsync(request, context);

    /// <summary>Lists the leases, those that end first in front.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseLeasesResponse>> LeaseLeasesAsync(LeaseLeasesRequest request, RequestContext context) =>
        _leases.ListAsync(request, context);

    /// <summary>Lists, raises or clears alarms.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<AlarmResponse>> AlarmAsync(AlarmRequest request, RequestContext context) => _maintenance.AlarmAsync(request, context);

    /// <summary>Tells where this member stands; needs no quorum.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<StatusResponse>> StatusAsync(StatusRequest request, RequestContext context) => _maintenance.StatusAsync(request, context);

    /// <summary>Starts to reclaim space; nothing stops meanwhile.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<DefragmentResponse>> DefragmentAsync(DefragmentRequest request, RequestContext context) =>
        _maintenance.DefragmentAsync(request, context);

    /// <summary>Hashes the whole key space.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<HashResponse>> HashAsync(HashRequest request, RequestContext context) => _maintenance.HashAsync(request, context);

    /// <summary>Takes all that is stored at this moment as etcd's backend file. Writes go on meanwhile.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>Its pieces, made as they are asked for, which the caller disposes; or the refusal.</returns>
    public ValueTask<Answer<SnapshotPieces>> SnapshotAsync(SnapshotRequest request, RequestContext context) => _maintenance.SnapshotAsync(request, context);

    /// <summary>Hashes the history up to a revision.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<HashKVResponse>> HashKvAsync(HashKVRequest request, RequestContext context) => _maintenance.HashKvAsync(request, context);

    /// <summary>Hands leadership to another member.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MoveLeaderResponse>> MoveLeaderAsync(MoveLeaderRequest request, RequestContext context) =>
        _members.MoveLeaderAsync(request, context);

    /// <summary>Validates, starts or cancels a downgrade.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<DowngradeResponse>> DowngradeAsync(DowngradeRequest request, RequestContext context) =>
        _maintenance.DowngradeAsync(request, context);

    /// <summary>Lists the members.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberListResponse>> MemberListAsync(MemberListRequest request, RequestContext context) =>
        _members.ListAsync(request, context);

    /// <summary>Adds a member.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberAddResponse>> MemberAddAsync(MemberAddRequest request, RequestContext context) =>
        _members.AddAsync(request, context);

    /// <summary>Removes a member for ever.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberRemoveResponse>> MemberRemoveAsync(MemberRemoveRequest request, RequestContext context) =>
        _members.RemoveAsync(request, context);

    /// <summary>Changes the peer URLs of a member.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberUpdateResponse>> MemberUpdateAsync(MemberUpdateRequest request, RequestContext context) =>
        _members.UpdateAsync(request, context);

    /// <summary>Makes a voter of a learner that is in sync.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberPromoteResponse>> MemberPromoteAsync(MemberPromoteRequest request, RequestContext context) =>
        _members.PromoteAsync(request, context);

    /// <summary>Says what healing does, did and waits for.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, or the refusal.</returns>
    public ValueTask<Answer<HealStatusResponse>> HealStatusAsync(HealStatusRequest request, RequestContext context) => _heals.StatusAsync(request, context);

    /// <summary>Lets healing do what it proposes, once.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, or the refusal.</returns>
    public ValueTask<Answer<HealApproveResponse>> HealApproveAsync(HealApproveRequest request, RequestContext context) =>
        _heals.ApproveAsync(request, context);

    /// <summary>Sends a removed member away for good.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, or the refusal.</returns>
    public ValueTask<Answer<EvictResponse>> EvictAsync(EvictRequest request, RequestContext context) => _heals.EvictAsync(request, context);

    /// <summary>Opens a watch stream.</summary>
    /// <param name="context">Who asks.</param>
    /// <returns>The stream, ended if it was refused; the caller disposes it.</returns>
    public WatchStream OpenWatchStream(RequestContext context)
    {
        var stream = new WatchStream(_runtime.Hub, context, _runtime.Auth, _runtime.Confirmation);
        var refusal = _runtime.JudgeRequest(context);
        if (refusal != NodeError.None)
        {
            stream.End(refusal);
        }

        return stream;
    }

    /// <summary>Delivers a message of another member.</summary>
    /// <param name="message">The message.</param>
    /// <param name="sender">What the process that sent it shows; null if nothing, as etcd's.</param>
    /// <returns>False if it was dropped, because too many wait, or because its sender must not speak for its member.</returns>
    public bool Receive(Message message, PeerSight? sender = null)
    {
        ArgumentNullException.ThrowIfNull(message);
        return _runtime.Fence.Admits(message, sender) && _runtime.RaftLoop.TryReceive(message);
    }

    /// <summary>What this process shows with everything that it says to other members.</summary>
    public PeerSight Sight => _runtime.Sight;

    /// <summary>Whether a process may speak for a member.</summary>
    /// <param name="memberId">The member.</param>
    /// <param name="sender">What the process shows; null if nothing, as etcd's.</param>
    /// <returns>False if it is not heard.</returns>
    public bool Hears(ulong memberId, PeerSight? sender) => _runtime.Fence.Hears(memberId, sender);

    /// <summary>Says that a connection of another member has ended: its process may be gone.</summary>
    /// <param name="memberId">The member.</param>
    public void ReportLost(ulong memberId) => _runtime.Fence.Lost(memberId);

    /// <summary>Says that the process of another member has ended: a connection to it broke, and then its address refused another. Any thread.</summary>
    /// <param name="memberId">The member.</param>
    public void ReportEnded(ulong memberId)
    {
        ReportLost(memberId);
        _runtime.RaftLoop.ReportEnded(memberId);
    }

    /// <summary>Whether a member was removed from the cluster, as far as this one knows.</summary>
    /// <param name="memberId">The member.</param>
    /// <returns>True if it must not be heard any more.</returns>
    public bool IsRemovedMember(ulong memberId) => _runtime.View.Members.Removed.Contains(memberId);

    /// <summary>Says that the others removed this member from the cluster: it stops, since it will never learn so from the log.</summary>
    public void LearnRemoval() => _runtime.StopAsRemoved();

    /// <summary>Answers what another member asks of this one: about leases, whose time is the leader's, and to give a learner its vote.</summary>
    /// <param name="call">The question.</param>
    /// <param name="cancelled">The other does not wait any longer.</param>
    /// <returns>The answer; <see cref="PeerAnswer.None"/> if there is no such question.</returns>
    public ValueTask<PeerAnswer> AnswerPeerAsync(PeerCall call, CancellationToken cancelled) => _peers.AnswerAsync(call, cancelled);

    /// <summary>Whether a question may be asked by those who are of no cluster yet, or of the one that this one follows.</summary>
    /// <param name="path">Path of the question.</param>
    public static bool IsForStrangers(string path) => PeerRequests.IsForStrangers(path);

    /// <summary>Takes the state that a leader of etcd sends.</summary>
    /// <param name="message">The raft message, its snapshot included.</param>
    /// <param name="image">The backend file behind it.</param>
    /// <param name="cancelled">The other went away.</param>
    /// <returns>204 once this member has gone over to it, else why not.</returns>
    public ValueTask<PeerAnswer> TakeBackendAsync(ReadOnlyMemory<byte> message, Stream image, CancellationToken cancelled) =>
        _runtime.Transfer.TakeBackendAsync(message, image, cancelled);

    /// <summary>Tells who the members are, as etcd tells it at /members on the peer port.</summary>
    /// <returns>UTF-8 JSON.</returns>
    public byte[] DescribeMembers() => MemberPages.Describe(_runtime.View.Members);

    /// <summary>Reports that a message to another member could not be sent.</summary>
    /// <param name="memberId">The other member.</param>
    public void ReportUnreachable(ulong memberId) =>
        _runtime.RaftLoop.Completions.TryPost(RaftCompletion.OfCall(core => core.ReportUnreachable(memberId)));

    /// <summary>Hands leadership to another member if this one leads and another can: to be called before a stop, while clients are still served.</summary>
    /// <returns>When another leads, or none did in time.</returns>
    public ValueTask HandOverAsync() => new HandOver(_runtime).ToBestAsync();

    /// <summary>Stops: no new requests, what was accepted is finished or refused, state is written, files are closed.</summary>
    /// <returns>Completes when all is closed.</returns>
    public ValueTask DisposeAsync() => new(_runtime.StopAsync());
}
