using Cairn.EndToEnd.Harness;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>One server, which is killed each time.</summary>
/// <param name="server">The server.</param>
internal sealed class ServerTarget(Server server) : IKillTarget
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Endpoints => [server.Endpoint];

    /// <inheritdoc/>
    public string Said => server.Run.Said;

    /// <inheritdoc/>
    public Task KillAsync() => server.KillAsync();
}
