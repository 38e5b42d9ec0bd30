using Cairn.Protocol;
using Cairn.Server.Loops;
using Cairn.Server.Reads;
using Cairn.Server.Transfer;
using Cairn.State;

namespace Cairn.Server.Requests;

/// <summary>Requests of operators. Source: etcd server/etcdserver/api/v3rpc/maintenance.go.</summary>
/// <param name="node">The node.</param>
internal sealed class MaintenanceRequests(NodeRuntime node)
{
    private readonly Throttle _saves = new(node.Options.SnapshotBytesPerSecondMax, node.Time);

    /// <summary>Tells where this node stands.</summary>
    /// <returns>The facts.</returns>
    public NodeStatus Look()
    {
        var view = node.View;
        return new NodeStatus
        {
            ClusterId = node.Headers.ClusterId,
            MemberId = node.Headers.MemberId,
            LeaderId = node.Facts.Leader,
            Term = node.Headers.Term,
            CommittedIndex = Math.Max(node.Facts.Committed, node.Facts.Applied),
            AppliedIndex = node.Facts.Applied,
            AppliedTerm = node.Facts.AppliedTerm,
            Revision = view.Revision,
            CompactedRevision = view.CompactedRevision,
            DatabaseBytes = node.RevisionLog.TotalBytes,
            DatabaseBytesInUse = node.RevisionLog.LiveBytes,
            QuotaBytes = node.Housekeeping.Quota.Bytes,
            IsLearner = node.Facts.IsLearner,
            Alarms = [.. view.Alarms.All.Select(alarm => $"memberID:{alarm.MemberId} alarm:{alarm.Kind.ToString().ToUpperInvariant()} ")],
            Impairment = (node.Failure ?? node.Facts.WriteFailure)?.Message
                ?? (node.Memory.Fenced is { Length: > 0 } fenced ? $"the member is fenced: {fenced}"
                    : node.Memory.Disputes is [var dispute, ..] ? $"the member is silent until the cluster decides which process speaks for it, since {dispute.Reason}"
                    : node.IsStopping ? "the node stops"
                    : node.Disks.Reserve.IsLow ? "the disk is full"
                    : node.Disks.Damage.Describe()),
            ClusterVersion = view.Members.ClusterVersion,
            Healing = node.Recovery.Notice is { } lost ? lost : node.Recovery.Others.Notice is { } split ? split : view.Healing.Current is { } heal ? $"healing: {heal.Detected}" : node.Healer.Notices.Select(static notice => $"not healed: {notice.Text}").FirstOrDefault(),
        };
    }

    /// <summary>Answers the Status request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<StatusResponse>> StatusAsync(StatusRequest request, RequestContext context)
    {
        var (refusal, _) = await node.Auth.JudgeAsync(request, context);
        return refusal == NodeError.None ? Status() : refusal;
    }

    private StatusResponse Status()
    {
        var status = Look();
        var response = new StatusResponse
        {
            Header = node.Headers.Make(status.Revision),
            Version = node.Options.ServerVersion,
            DbSize = status.DatabaseBytes,
            Leader = status.LeaderId,
            RaftIndex = status.CommittedIndex,
            RaftTerm = status.Term,
            RaftAppliedIndex = status.AppliedIndex,
            DbSizeInUse = status.DatabaseBytesInUse,
            IsLearner = status.IsLearner,
            StorageVersion = "3.6.0",
            DbSizeQuota = status.QuotaBytes,
            DowngradeInfo = new DowngradeInfo
            {
                Enabled = node.View.Members.Downgrade is not null,
                TargetVersion = node.View.Members.Downgrade?.TargetVersion ?? "",
            },
        };
        if (status.LeaderId == 0)
        {
            response.Errors.Add("etcdserver: no leader");
        }

        response.Errors.AddRange(status.Alarms);
        if (node.Housekeeping.Quota.Explanation is { } space)
        {
            response.Errors.Add($"cairn: {space}");
        }

        if (status.Healing is { } healing)
        {
            response.Errors.Add($"cairn: {healing}");
        }

        return response;
    }

    /// <summary>Lists, raises or clears alarms.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<AlarmResponse>> AlarmAsync(AlarmRequest request, RequestContext context)
    {
        var refusal = RequestValidation.Check(request);
        return refusal == StoreError.None
            ? node.Answer<AlarmResponse>(await node.ProposeAsync(InternalRaftRequest.AlarmFieldNumber, request, context))
            : refusal.ToNodeError();
    }

    /// <summary>Starts to reclaim space.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, without a header, when what is worth it has been reclaimed.</returns>
    public async ValueTask<Answer<DefragmentResponse>> DefragmentAsync(DefragmentRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var began = node.Time.GetTimestamp();
        var outcome = await Patience.WaitAsync(node.Housekeeping.ReclaimAsync(), Timeout.InfiniteTimeSpan, node.Time, context.Cancelled);
        node.Metrics.Reclaims.Observe(node.Time.GetElapsedTime(began).TotalSeconds);
        return outcome == WaitOutcome.Done ? new DefragmentResponse() : NodeError.Canceled;
    }

    /// <summary>Takes the state of now as etcd's backend file.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>Its pieces, made as they are asked for; the caller disposes them.</returns>
    public async ValueTask<Answer<SnapshotPieces>> SnapshotAsync(SnapshotRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        return await StateImage.TakeAsync(node, context.Cancelled) is { } image ? new SnapshotPieces(image, _saves, node)
            : context.Cancelled.IsCancellationRequested ? NodeError.Canceled
            : NodeError.Stopped;
    }

    /// <summary>Hashes the whole key space.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<HashResponse>> HashAsync(HashRequest request, RequestContext context)
    {
        var began = node.Time.GetTimestamp();
        var answer = await HashKvAsync(new HashKVRequest(), context);
        node.Metrics.Hashes.Observe(node.Time.GetElapsedTime(began).TotalSeconds);
        return answer.Succeeded ? new HashResponse { Header = answer.Value.Header, Hash = answer.Value.Hash } : answer.Error;
    }

    /// <summary>Hashes the history up to a revision.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<HashKVResponse>> HashKvAsync(HashKVRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        return await HashRun.RunAsync(node, request.Revision, context.Cancelled);
    }

    /// <summary>Validates, starts or cancels a downgrade.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<DowngradeResponse>> DowngradeAsync(DowngradeRequest request, RequestContext context)
    {
        var refusal = await node.Confirmation.ReadAsync(context);
        if (refusal == NodeError.None)
        {
            (refusal, _) = await node.Auth.JudgeAsync(request, context);
        }

        if (refusal == NodeError.None)
        {
            refusal = DowngradeRules.Judge(request, node.View.Members, out _);
        }

        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (request.Action != DowngradeRequest.Types.DowngradeAction.Validate)
        {
            DowngradeRules.Judge(request, node.View.Members, out var target);
            var set = new Protocol.Membership.DowngradeInfoSetRequest
            {
                Enabled = request.Action == DowngradeRequest.Types.DowngradeAction.Enable,
                Ver = target,
            };
            var outcome = await node.ProposeOwnAsync(InternalRaftRequest.DowngradeInfoSetFieldNumber, set, context);
            if (outcome.Error != NodeError.None)
            {
                return outcome.Error;
            }
        }

        return new DowngradeResponse { Header = node.Headers.Make(node.View.Revision), Version = node.View.Members.ClusterVersion ?? "" };
    }
}
