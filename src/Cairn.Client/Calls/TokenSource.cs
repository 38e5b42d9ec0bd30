using Cairn.Grpc.Calling;

namespace Cairn.Client.Calls;

/// <summary>Keeps the token that proves who the user is, and fetches another when it is no longer accepted. Any thread.</summary>
internal sealed class TokenSource : IDisposable
{
    private readonly bool _hasUser;
    private readonly Func<CancellationToken, Task<string>> _authenticate;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private volatile string? _token;

    public TokenSource(ClientOptions options, Func<CancellationToken, Task<string>> authenticate)
    {
        _token = options.Token;
        _hasUser = options.UserName is not null;
        _authenticate = authenticate;
    }

    /// <summary>Gives the token, after fetching it if there is none.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>The token, or null if there is no user.</returns>
    public async ValueTask<string?> GetAsync(CancellationToken cancelled)
    {
        if (_token is { } known || !_hasUser)
        {
            return _token;
        }

        await _turn.WaitAsync(cancelled).ConfigureAwait(false);
        try
        {
            return _token ??= await FetchAsync(cancelled).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Forgets the token if an error says that it is not valid, and if another can be had.</summary>
    /// <param name="failure">The error.</param>
    /// <returns>Whether it was forgotten.</returns>
    public bool TryDrop(GrpcException failure)
    {
        if (!_hasUser || failure.Status.Message is not ("etcdserver: invalid auth token" or "etcdserver: revision of auth store is old"))
        {
            return false;
        }

        _token = null;
        return true;
    }

    public void Dispose() => _turn.Dispose();

    // A store whose authentication is off has no tokens to give, and needs none.
    private async Task<string> FetchAsync(CancellationToken cancelled)
    {
        try
        {
            return await _authenticate(cancelled).ConfigureAwait(false);
        }
        catch (ClientException e) when (e.Message == "etcdserver: authentication is not enabled")
        {
            return "";
        }
    }
}
