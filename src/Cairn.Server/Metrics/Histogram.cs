namespace Cairn.Server.Metrics;

/// <summary>Counts observations in buckets whose bounds double. Any thread.</summary>
internal sealed class Histogram
{
    private readonly double[] _bounds;
    private readonly long[] _counts;
    private double _sum;

    /// <summary>Creates an empty histogram.</summary>
    /// <param name="first">Upper bound of the first bucket.</param>
    /// <param name="buckets">Number of bounded buckets; there is one more, without bound.</param>
    public Histogram(double first, int buckets)
    {
        _bounds = new double[buckets];
        _counts = new long[buckets + 1];
        for (var i = 0; i < buckets; i++)
        {
            _bounds[i] = first;
            first *= 2;
        }
    }

    /// <summary>Counts an observation.</summary>
    /// <param name="value">The value.</param>
    public void Observe(double value)
    {
        var bucket = Array.BinarySearch(_bounds, value);
        Interlocked.Increment(ref _counts[bucket < 0 ? ~bucket : bucket]);
        double seen, sum;
        do
        {
            seen = Volatile.Read(ref _sum);
            sum = seen + value;
        }
        while (Interlocked.CompareExchange(ref _sum, sum, seen) != seen);
    }

    /// <summary>Reads the histogram.</summary>
    /// <param name="name">Name of the metric.</param>
    /// <param name="help">One sentence.</param>
    /// <returns>A sample with cumulative buckets.</returns>
    public MetricSample Sample(string name, string help)
    {
        var buckets = new (double UpperBound, long Count)[_counts.Length];
        long total = 0;
        for (var i = 0; i < buckets.Length; i++)
        {
            total += Volatile.Read(ref _counts[i]);
            buckets[i] = (i < _bounds.Length ? _bounds[i] : double.PositiveInfinity, total);
        }

        return new MetricSample(name, MetricKind.Histogram, help, Volatile.Read(ref _sum)) { Buckets = buckets };
    }
}
