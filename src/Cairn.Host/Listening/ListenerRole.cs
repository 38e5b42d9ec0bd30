using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Listening;

/// <summary>What is served on a listener. Each connection carries the role of the listener that accepted it.</summary>
/// <param name="ServesGrpc">Whether gRPC calls are taken.</param>
/// <param name="Pages">What answers everything else, at a stage.</param>
internal sealed record ListenerRole(bool ServesGrpc, Func<Stage, Func<IFeatureCollection, Task>> Pages);
