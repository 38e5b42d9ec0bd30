using Cairn.Host.Grpc;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>Reads from the metadata of a call who asks, and under which conditions.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v3rpc/interceptor.go and server/auth/store.go (AuthInfoFromCtx).</remarks>
internal static class Caller
{
    private const string Bearer = "Bearer ";

    /// <summary>The context of a request.</summary>
    public static RequestContext Of(GrpcCall call) => new(
        call.Cancelled,
        TokenOf(call.Metadata("token") ?? call.Metadata("authorization")),
        RequireLeader: call.Metadata("hasleader") == "true",
        call.CommonName);

    /// <summary>The token of an authorization value: etcd's clients send it bare, others with the scheme in front.</summary>
    public static string? TokenOf(string? authorization) =>
        authorization is not null && authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? authorization[Bearer.Length..] : authorization;
}
