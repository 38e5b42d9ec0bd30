using System.Runtime.CompilerServices;
using Cairn.Protocol;
using Cairn.Server.Reads;
using Cairn.State;
using Cairn.Storage;

namespace Cairn.Server.Requests;

/// <summary>Requests on the key space. Source: etcd server/etcdserver/v3_server.go, api/v3rpc/{key,quota}.go.</summary>
/// <param name="node">The node.</param>
internal sealed class KeyValueRequests(NodeRuntime node)
{
    /// <summary>Reads a range.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public ValueTask<Answer<RangeAnswer>> RangeAsync(RangeRequest request, RequestContext context)
    {
        var refusal = Judge(RequestValidation.Check(request), context, isForLearners: request.Serializable);
        if (refusal != NodeError.None)
        {
            return new(refusal);
        }

        var began = node.Slow.Now;
        if (!request.Serializable && !node.Facts.ReadsAreLocal)
        {
            return ConfirmedRangeAsync(request, began, context);
        }

        var answer = Range(request, began, began, context);
        return node.Auth.MayBeTooOld(answer.Error) ? ConfirmedRangeAsync(request, began, context) : new(answer);
    }

    /// <summary>Reads a range in pieces.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>Where the pieces come from.</returns>
    public async ValueTask<Answer<RangeChunks>> RangeStreamAsync(RangeRequest request, RequestContext context)
    {
        var refusal = Judge(RequestValidation.Check(request), context);
        if (refusal == NodeError.None)
        {
            refusal = JudgeStream(request);
        }

        if (refusal == NodeError.None && !request.Serializable)
        {
            refusal = await node.Confirmation.ReadAsync(context);
        }

        var view = node.View;
        refusal = refusal == NodeError.None ? node.Auth.Judge(view, request, context) : refusal;
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        node.Metrics.Ranges.Add();
        var error = view.OpenRange(request, out var cursor);
        return error == StoreError.None
            ? new RangeChunks(node, cursor!)
            : error.ToNodeError();
    }

    /// <summary>Writes one key.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Answer<PutResponse>> PutAsync(PutRequest request, RequestContext context)
    {
        var refusal = await node.Housekeeping.Quota.AdmitAsync(RequestValidation.Cost(request));
        if (refusal == NodeError.None)
        {
            refusal = RequestValidation.Check(request).ToNodeError();
        }

        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var outcome = await node.ProposeAsync(InternalRaftRequest.PutFieldNumber, request, context);
        node.Metrics.Puts.Add();
        return node.Answer<PutResponse>(outcome);
    }

    /// <summary>Deletes a range.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Answer<DeleteRangeResponse>> DeleteRangeAsync(DeleteRangeRequest request, RequestContext context)
    {
        var refusal = RequestValidation.Check(request);
        if (refusal != StoreError.None)
        {
            return refusal.ToNodeError();
        }

        var outcome = await node.ProposeAsync(InternalRaftRequest.DeleteRangeFieldNumber, request, context);
        node.Metrics.Deletes.Add();
        return node.Answer<DeleteRangeResponse>(outcome);
    }

    /// <summary>Runs a transaction.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Answer<TxnResponse>> TxnAsync(TxnRequest request, RequestContext context)
    {
        var cost = RequestValidation.Cost(request);
        var refusal = cost > 0 ? await node.Housekeeping.Quota.AdmitAsync(cost) : NodeError.None;
        if (refusal == NodeError.None)
        {
            refusal = Judge(RequestValidation.Check(request, node.Options.TxnOperationsMax), context);
        }

        if (refusal != NodeError.None)
        {
            return refusal;
        }

        node.Metrics.Txns.Add();
        if (RequestValidation.IsReadOnly(request))
        {
            return await ReadOnlyTxnAsync(request, context);
        }

        return node.Answer<TxnResponse>(await node.ProposeAsync(InternalRaftRequest.TxnFieldNumber, request, context));
    }

    /// <summary>Drops history.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<CompactionResponse>> CompactAsync(CompactionRequest request, RequestContext context)
    {
        var answer = node.Answer<CompactionResponse>(
            await node.ProposeAsync(InternalRaftRequest.CompactionFieldNumber, request, context));
        if (answer.Succeeded && request.Physical)
        {
            await node.ApplyLoop.SweptAsync();
        }

        return answer;
    }

    private static NodeError JudgeStream(RangeRequest request)
    {
        var isNatural = request.SortTarget == RangeRequest.Types.SortTarget.Key && request.SortOrder != RangeRequest.Types.SortOrder.Descend;
        if (!isNatural)
        {
            return NodeError.StreamSortUnsupported;
        }

        var isFiltered = (request.MinModRevision, request.MaxModRevision, request.MinCreateRevision, request.MaxCreateRevision) != (0, 0, 0, 0);
        return isFiltered ? NodeError.StreamFilterUnsupported : NodeError.None;
    }

    private NodeError Judge(StoreError validation, RequestContext context, bool isForLearners = false) =>
        validation == StoreError.None ? node.JudgeRequest(context, isForLearners) : validation.ToNodeError();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Answer<RangeAnswer>> ConfirmedRangeAsync(RangeRequest request, long began, RequestContext context)
    {
        var refusal = await node.Confirmation.ReadAsync(context);
        return refusal == NodeError.None ? Range(request, began, node.Slow.Now, context) : refusal;
    }

    private Answer<RangeAnswer> Range(RangeRequest request, long began, long confirmed, RequestContext context)
    {
        var view = node.View;
        var refusal = node.Auth.Judge(view, request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        node.Metrics.Ranges.Add();
        var error = view.Range(request, out var result);
        (error == StoreError.None ? node.Metrics.RangesRead : node.Metrics.RangesRefused).Observe(node.Time.GetElapsedTime(confirmed).TotalSeconds);
        node.Slow.Read(request, began, confirmed, result.Count);
        return error == StoreError.None ? new RangeAnswer(result, node.Headers.Make(result.Revision), node.Disks.Damage.Note) : error.ToNodeError();
    }

    private StoreError Run(State.ReadView view, TxnRequest request, out TxnResponse? response)
    {
        try
        {
            return view.Txn(request, out response);
        }
        catch (CorruptionException damage)
        {
            node.Disks.Damage.Note(damage);
            throw;
        }
    }

    private async ValueTask<Answer<TxnResponse>> ReadOnlyTxnAsync(TxnRequest request, RequestContext context)
    {
        var refusal = RequestValidation.IsSerializable(request) ? NodeError.None : await node.Confirmation.ReadAsync(context);
        var view = node.View;
        refusal = refusal == NodeError.None ? node.Auth.Judge(view, request, context) : refusal;
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var error = Run(view, request, out var response);
        if (error != StoreError.None)
        {
            return error.ToNodeError();
        }

        node.Headers.Complete(response!.Header);
        return response;
    }
}
