using Cairn.Host.Grpc;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host;

/// <summary>What the listeners serve at present: at first that the member waits, then what the node offers.</summary>
internal sealed record Stage
{
    /// <summary>Carries out a gRPC call, given its stream, its path and an unused call object.</summary>
    public required Func<IFeatureCollection, string, GrpcCall, Task> Grpc { get; init; }

    /// <summary>Answers HTTP on client ports.</summary>
    public required Func<IFeatureCollection, Task> Client { get; init; }

    /// <summary>Answers HTTP on metrics ports.</summary>
    public required Func<IFeatureCollection, Task> Metrics { get; init; }

    /// <summary>Answers other members.</summary>
    public required Func<IFeatureCollection, Task> Peers { get; init; }
}
