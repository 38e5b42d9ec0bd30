namespace Cairn.Client.Recipes;

/// <summary>A lease that is kept alive, and with it all that a program holds in the cluster. Any thread.</summary>
/// <remarks>
/// A session can end while the program does not know it yet, for instance while it is paused. So what a lock protects outside of the store has to check
/// the lock's revision (<see cref="DistributedLock.Revision"/>) itself, and refuse a lower one than it has seen.
/// </remarks>
public sealed class Session : IAsyncDisposable
{
    private readonly LeaseKeeper _keeper;

    private Session(CairnClient client, LeaseKeeper keeper)
    {
        Client = client;
        _keeper = keeper;
    }

    /// <summary>The client of the session.</summary>
    public CairnClient Client { get; }

    /// <summary>The lease of the session.</summary>
    public long Lease => _keeper.Id;

    /// <summary>Cancelled when the session has ended, or may have.</summary>
    public CancellationToken Lost => _keeper.Lost;

    /// <summary>Opens a session.</summary>
    /// <param name="client">The cluster.</param>
    /// <param name="seconds">How long the session outlives its program.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The session, which the caller disposes.</returns>
    /// <exception cref="ClientException">The call failed.</exception>
    public static async Task<Session> OpenAsync(CairnClient client, long seconds = 60, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        Protocol.LeaseGrantResponse lease = await client.Lease.GrantAsync(seconds, cancelled: cancelled).ConfigureAwait(false);
        return new Session(client, client.Lease.KeepAlive(lease.ID, lease.TTL));
    }

    /// <summary>Ends the session, and with it all that is held in it.</summary>
    /// <returns>When it has ended; if no member can be reached, it ends by itself later.</returns>
    public async ValueTask DisposeAsync()
    {
        await _keeper.DisposeAsync().ConfigureAwait(false);
        try
        {
            await Client.Lease.RevokeAsync(Lease).ConfigureAwait(false);
        }
        catch (ClientException)
        {
            // The lease has ended already, or ends when its time is over.
        }
    }
}
