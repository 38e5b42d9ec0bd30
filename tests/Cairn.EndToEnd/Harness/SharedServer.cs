using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>A server that the tests of one class share; each uses keys of its own.</summary>
public sealed class SharedServer : IAsyncLifetime
{
    private readonly ScratchDirectory _directory = new();
    private Server? _server;

    internal Server Server => _server ?? throw new InvalidOperationException("the server is not started");

    internal Etcdctl Etcdctl => new(Server.Endpoint);

    /// <inheritdoc/>
    public async ValueTask InitializeAsync() => _server = await Server.StartAsync(_directory["data"]);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _directory.Dispose();
    }
}
