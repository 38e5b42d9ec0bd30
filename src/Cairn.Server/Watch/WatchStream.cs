using System.Diagnostics.CodeAnalysis;
using Cairn.Protocol;

namespace Cairn.Server.Watch;

/// <summary>The watchers of one client stream: requests go in on one side, messages are pulled from the other.</summary>
/// <remarks>
/// One caller at a time for <see cref="RequestAsync"/>, one (another) for <see cref="WaitAsync"/> and <see cref="TryTake"/>. The pace is the puller's:
/// a stream that nobody pulls costs a bounded amount of memory and delays no write.
/// </remarks>
public sealed class WatchStream : IDisposable
{
    private readonly InvalidOperationException _notRunning = new("The node does not run.");

    /// <summary>Why the stream ended (no leader for a client that requires one, or shutdown); <see cref="NodeError.None"/> while it runs.</summary>
    public NodeError Ended => throw _notRunning;

    /// <summary>Carries out one request of the client. Waits while too many answers to earlier requests have not been pulled.</summary>
    /// <param name="request">Create, cancel or progress; anything else is ignored.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Completes when the request has been taken.</returns>
    public ValueTask RequestAsync(WatchRequest request, CancellationToken cancellationToken) => throw _notRunning;

    /// <summary>Waits until <see cref="TryTake"/> may have something.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>True to go on; false when the stream has ended, see <see cref="Ended"/>.</returns>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => throw _notRunning;

    /// <summary>Takes the next message. May read history from disk, a bounded amount at a time.</summary>
    /// <param name="delivery">The message.</param>
    /// <returns>False when there is nothing now: wait again.</returns>
    public bool TryTake([NotNullWhen(true)] out WatchDelivery? delivery) => throw _notRunning;

    /// <summary>Drops all watchers. Messages not yet pulled are gone.</summary>
    public void Dispose()
    {
    }
}
