namespace Cairn.Server.Watch;

/// <summary>Remembers, for a while, up to where streams that ended had been served: their clients may come back and go on from there.</summary>
/// <param name="time">Measures the while.</param>
/// <remarks>Any thread.</remarks>
internal sealed class Departures(TimeProvider time)
{
    // More streams than this that end within the while are remembered together: the oldest revision of them counts for all.
    private const int EntriesMax = 1024;

    private static readonly TimeSpan While = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly LinkedList<(long At, long Revision)> _entries = new();

    /// <summary>Notes the end of a stream.</summary>
    /// <param name="revision">First revision it did not get; <see cref="long.MaxValue"/> if it had no watcher.</param>
    public void Note(long revision)
    {
        if (revision == long.MaxValue)
        {
            return;
        }

        var now = time.GetTimestamp();
        lock (_lock)
        {
            Forget_NeedsLock(now);
            if (_entries.Count >= EntriesMax && _entries.Last is { } last)
            {
                last.Value = (now, Math.Min(last.Value.Revision, revision));
                return;
            }

            _entries.AddLast((now, revision));
        }
    }

    /// <summary>Finds the oldest revision that one of them would go on from.</summary>
    /// <returns>The revision; <see cref="long.MaxValue"/> if there is none.</returns>
    public long FindOldest()
    {
        lock (_lock)
        {
            Forget_NeedsLock(time.GetTimestamp());
            return _entries.Count == 0 ? long.MaxValue : _entries.Min(entry => entry.Revision);
        }
    }

    private void Forget_NeedsLock(long now)
    {
        while (_entries.First is { } first && time.GetElapsedTime(first.Value.At, now) > While)
        {
            _entries.RemoveFirst();
        }
    }
}
