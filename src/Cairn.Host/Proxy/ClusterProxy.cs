using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>etcdserverpb.Cluster: clients that ask for the members are shown the proxies, so that they stay with them.</summary>
/// <remarks>Source: etcd server/proxy/grpcproxy/cluster.go.</remarks>
internal sealed class ClusterProxy(Upstream upstream, Registration registration, string advertised)
{
    private static readonly GrpcMethod<MemberListRequest, MemberListResponse> MemberList = new("/etcdserverpb.Cluster/MemberList", MemberListResponse.Parser);

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Cluster")
        .Relays(upstream, "MemberAdd", "MemberRemove", "MemberUpdate", "MemberPromote")
        .Unary<MemberListRequest, MemberListResponse>("MemberList", MemberListRequest.Parser, ListAsync);

    /// <summary>Asks the cluster for its members, for the proxy itself.</summary>
    /// <param name="upstream">The cluster.</param>
    /// <param name="limit">How long that may take.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Their client URLs; none if nobody answered.</returns>
    public static async Task<string[]> UrlsAsync(Upstream upstream, TimeSpan limit, CancellationToken cancelled)
    {
        Outcome<MemberListResponse> outcome =
            await upstream.CallAsync(MemberList, new MemberListRequest(), new GrpcCallOptions { Timeout = limit, Cancelled = cancelled }, isRead: true);
        return [.. outcome.Value?.Members.Where(static member => !member.IsLearner).SelectMany(static member => member.ClientURLs) ?? []];
    }

    private async ValueTask<Outcome<MemberListResponse>> ListAsync(MemberListRequest request, GrpcCall call)
    {
        if (advertised.Length == 0)
        {
            return await upstream.CallAsync(MemberList, request, call, isRead: true);
        }

        var answer = new MemberListResponse { Header = new ResponseHeader() };
        answer.Members.AddRange(await registration.FindAsync(call.Cancelled));
        if (answer.Members.Count == 0)
        {
            answer.Members.Add(new Member { Name = Environment.MachineName, ClientURLs = { advertised } });
        }

        return answer;
    }
}
