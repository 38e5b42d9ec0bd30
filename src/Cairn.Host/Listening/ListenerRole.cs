using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Listening;

/// <summary>What is served on a listener. Each connection carries the role of the listener that accepted it.</summary>
/// <param name="ServesGrpc">Whether gRPC calls are taken.</param>
/// <param name="Pages">Answers everything else.</param>
internal sealed record ListenerRole(bool ServesGrpc, Func<IFeatureCollection, Task> Pages);
