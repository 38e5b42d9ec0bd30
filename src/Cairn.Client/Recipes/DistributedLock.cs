using Google.Protobuf;

namespace Cairn.Client.Recipes;

/// <summary>A lock that one session at a time holds. Not thread-safe. Shares its keys with etcd's own mutex.</summary>
public sealed class DistributedLock
{
    private readonly WaitingLine _line;

    /// <summary>Creates the lock for a session; nothing is locked yet.</summary>
    /// <param name="session">Who holds it.</param>
    /// <param name="name">Its name, the same for all who want it.</param>
    public DistributedLock(Session session, string name)
    {
        ArgumentNullException.ThrowIfNull(session);
        _line = new WaitingLine(session, name);
    }

    /// <summary>The key that stands for holding the lock.</summary>
    public ByteString Key => _line.Key;

    /// <summary>The revision of the lock, which only grows from holder to holder: what the lock protects refuses a lower one than it has seen.</summary>
    public long Revision => _line.Revision;

    /// <summary>Waits for the lock.</summary>
    /// <param name="cancelled">Ends the wait; the place in the line is given up.</param>
    /// <returns>When the lock is held.</returns>
    /// <exception cref="ClientException">The session ended, or a call failed.</exception>
    public async Task AcquireAsync(CancellationToken cancelled = default)
    {
        await _line.EnterAsync(ByteString.Empty, cancelled).ConfigureAwait(false);
        try
        {
            await _line.AwaitFrontAsync(cancelled).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await _line.LeaveAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Lets the next have the lock.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>Whether it was still held.</returns>
    /// <exception cref="ClientException">The call failed; the lock ends with the session.</exception>
    public Task<bool> ReleaseAsync(CancellationToken cancelled = default) => _line.LeaveAsync(cancelled);
}
