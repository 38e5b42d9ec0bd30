using Cairn.Grpc;
using Cairn.Server;

namespace Cairn.Host.Api.Recipes;

/// <summary>How locks and elections fail: with the texts of everybody, all under the code Unknown, since etcd never mapped them.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v3lock, v3election; client/v3/concurrency.</remarks>
internal static class RecipeErrors
{
    /// <summary>The place was won, and lost while it was waited for.</summary>
    public static GrpcStatus SessionExpired { get; } = new(GrpcStatusCode.Unknown, "mutex: session is expired");

    /// <summary>Nobody has the place.</summary>
    public static GrpcStatus NoLeader { get; } = new(GrpcStatusCode.Unknown, "election: no leader");

    /// <summary>Somebody else has the place.</summary>
    public static GrpcStatus NotLeader { get; } = new(GrpcStatusCode.Unknown, "election: not leader");

    /// <summary>A request without the field that it is about.</summary>
    public static GrpcStatus LeaderMissing { get; } = new(GrpcStatusCode.Unknown, "\"leader\" field must be provided");

    /// <summary>The status of a refusal.</summary>
    public static GrpcStatus Of(NodeError error) => new(GrpcStatusCode.Unknown, EtcdErrors.StatusOf(error).Message);
}
