namespace Cairn.Server.Transfer;

/// <summary>Lets bytes pass at a rate, so that a transfer leaves disk and network to the clients. Any thread; one lock, nobody waits in it.</summary>
/// <param name="bytesPerSecond">The rate.</param>
/// <param name="time">Measures it.</param>
internal sealed class Throttle(long bytesPerSecond, TimeProvider time)
{
    private readonly Lock _lock = new();
    private TimeSpan _paidUntil;
    private readonly long _began = time.GetTimestamp();

    /// <summary>Waits until so many bytes may go.</summary>
    /// <param name="bytes">How many are about to be sent.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Completes then.</returns>
    public Task PassAsync(long bytes, CancellationToken cancelled)
    {
        var burst = DurationOf(TransferLimits.BurstBytesMax);
        TimeSpan wait;
        lock (_lock)
        {
            var now = time.GetElapsedTime(_began);
            _paidUntil = (_paidUntil > now - burst ? _paidUntil : now - burst) + DurationOf(bytes);
            wait = _paidUntil - now;
        }

        return wait > TimeSpan.Zero ? Task.Delay(wait, time, cancelled) : Task.CompletedTask;
    }

    private TimeSpan DurationOf(long bytes) => TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
}
