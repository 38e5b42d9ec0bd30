using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Server;

/// <summary>Makes the headers of responses. Any thread.</summary>
/// <param name="clusterId">Id of the cluster.</param>
/// <param name="memberId">Id of this member.</param>
internal sealed class HeaderSource(ulong clusterId, ulong memberId)
{
    private ulong _term;

    /// <summary>Id of the cluster.</summary>
    public ulong ClusterId => clusterId;

    /// <summary>Id of this member.</summary>
    public ulong MemberId => memberId;

    /// <summary>Term of the log; only grows. Set by the raft loop.</summary>
    public ulong Term
    {
        get => Volatile.Read(ref _term);
        set
        {
            Invariant.Holds(value >= _term);
            Volatile.Write(ref _term, value);
        }
    }

    /// <summary>Completes the header that the state machine began with the revision.</summary>
    /// <param name="header">The header.</param>
    public void Complete(ResponseHeader header)
    {
        header.ClusterId = clusterId;
        header.MemberId = memberId;
        header.RaftTerm = Term;
    }

    /// <summary>Makes a header.</summary>
    /// <param name="revision">Revision to show; 0 where the response shows none.</param>
    /// <returns>A new header, owned by the caller.</returns>
    /// <remarks>Source of who shows what: etcd server/etcdserver/api/v3rpc/header.go.</remarks>
    public ResponseHeader Make(long revision) => new() { ClusterId = clusterId, MemberId = memberId, RaftTerm = Term, Revision = revision };

    /// <summary>Finds the header of an answer to a proposal.</summary>
    /// <param name="response">The answer.</param>
    /// <returns>Its header, to be completed.</returns>
    public static ResponseHeader HeaderOf(IMessage response) => response switch
    {
        PutResponse put => put.Header,
        TxnResponse txn => txn.Header,
        DeleteRangeResponse delete => delete.Header,
        _ => (ResponseHeader)response.Descriptor.FindFieldByName("header").Accessor.GetValue(response),
    };
}
