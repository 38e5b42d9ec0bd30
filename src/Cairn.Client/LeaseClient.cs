using Cairn.Client.Calls;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>Keys that live as long as somebody says so. Any thread. All methods throw <see cref="ClientException"/> when the call fails.</summary>
public sealed class LeaseClient
{
    private readonly Caller _caller;

    internal LeaseClient(Caller caller) => _caller = caller;

    /// <summary>Makes a lease.</summary>
    /// <param name="seconds">How long it lives without renewal; the server may make it longer.</param>
    /// <param name="id">Its id, or 0 for one of the server's choice. With a choice of the server a retry may leave a second lease, which ends by itself.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<LeaseGrantResponse> GrantAsync(long seconds, long id = 0, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.LeaseGrant, new LeaseGrantRequest { TTL = seconds, ID = id }, Repeat.Always, cancelled);

    /// <summary>Ends a lease and deletes its keys.</summary>
    /// <param name="id">The lease.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<LeaseRevokeResponse> RevokeAsync(long id, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.LeaseRevoke, new LeaseRevokeRequest { ID = id }, Repeat.Always, cancelled);

    /// <summary>Asks how long a lease lives yet.</summary>
    /// <param name="id">The lease.</param>
    /// <param name="keys">Whether its keys are wanted too.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer; its TTL is -1 if there is no such lease.</returns>
    public Task<LeaseTimeToLiveResponse> TimeToLiveAsync(long id, bool keys = false, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.LeaseTimeToLive, new LeaseTimeToLiveRequest { ID = id, Keys = keys }, Repeat.Always, cancelled);

    /// <summary>Lists the leases.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<LeaseLeasesResponse> ListAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.LeaseLeases, new LeaseLeasesRequest(), Repeat.Always, cancelled);

    /// <summary>Renews a lease once.</summary>
    /// <param name="id">The lease.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer; its TTL is 0 if there is no such lease.</returns>
    public async Task<LeaseKeepAliveResponse> KeepAliveOnceAsync(long id, CancellationToken cancelled = default)
    {
        GrpcChannel channel = _caller.Ring.Current;
        try
        {
            GrpcStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> stream = await _caller.OpenAsync(channel, Methods.LeaseKeepAlive, cancelled).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                await Streams.WriteAsync(stream, new LeaseKeepAliveRequest { ID = id }).ConfigureAwait(false);
                stream.CompleteWriting();
                return await Streams.ReadAsync(stream).ConfigureAwait(false)
                    ?? throw new ClientException(ClientErrorCode.Unavailable, "the server ended the call without an answer");
            }
        }
        catch (Exception e) when (e is ClientException or OperationCanceledException)
        {
            // Whoever tries again asks another member.
            _caller.Ring.Leave(channel);
            throw;
        }
    }

    /// <summary>Keeps a lease alive until it is disposed or the lease ends.</summary>
    /// <param name="id">The lease.</param>
    /// <param name="seconds">The lease's time to live, as it was granted.</param>
    /// <returns>The keeper, which the caller disposes.</returns>
    public LeaseKeeper KeepAlive(long id, long seconds) => new(_caller, id, TimeSpan.FromSeconds(seconds));
}
