namespace Cairn.Server.Metrics;

/// <summary>Counters told apart by something; each exists from its first use. Any thread.</summary>
/// <typeparam name="TKey">What tells them apart.</typeparam>
internal sealed class CounterFamily<TKey>
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<TKey, long> _counts = [];

    /// <summary>Counts one more.</summary>
    /// <param name="key">Of what.</param>
    public void Add(TKey key)
    {
        lock (_lock)
        {
            _counts[key] = _counts.GetValueOrDefault(key) + 1;
        }
    }

    /// <summary>Reads all.</summary>
    /// <returns>Counts, by ascending key.</returns>
    public IReadOnlyList<KeyValuePair<TKey, long>> Read()
    {
        lock (_lock)
        {
            return [.. _counts];
        }
    }
}
