using System.Numerics;

namespace Cairn.Bench.Measure;

/// <summary>Counts latencies in buckets that are at most 1/128 of their value wide. Not thread-safe; merge one a thread.</summary>
internal sealed class LatencyHistogram
{
    // 2^7 buckets for each power of two: an error below 0.8 %, less than two rounds of anything differ.
    private const int SubBucketBits = 7;
    private const int SubBuckets = 1 << SubBucketBits;

    private readonly long[] _counts = new long[(64 - SubBucketBits + 1) * SubBuckets];
    private double _sum;
    private double _sumOfSquares;

    /// <summary>Number of values.</summary>
    public long Count { get; private set; }

    /// <summary>The greatest value, in nanoseconds.</summary>
    public long MaxNanoseconds { get; private set; }

    /// <summary>The mean, in nanoseconds; 0 if there is no value.</summary>
    public double MeanNanoseconds => Count == 0 ? 0 : _sum / Count;

    /// <summary>The standard deviation, in nanoseconds; 0 if there is no value.</summary>
    public double DeviationNanoseconds => Count == 0 ? 0 : Math.Sqrt(Math.Max(0, (_sumOfSquares / Count) - (MeanNanoseconds * MeanNanoseconds)));

    /// <summary>Counts one value.</summary>
    /// <param name="nanoseconds">The latency; negative counts as 0.</param>
    public void Add(long nanoseconds)
    {
        var value = Math.Max(0, nanoseconds);
        _counts[BucketOf(value)]++;
        Count++;
        MaxNanoseconds = Math.Max(MaxNanoseconds, value);
        _sum += value;
        _sumOfSquares += (double)value * value;
    }

    /// <summary>Adds all values of another histogram.</summary>
    /// <param name="other">The other.</param>
    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        MaxNanoseconds = Math.Max(MaxNanoseconds, other.MaxNanoseconds);
        _sum += other._sum;
        _sumOfSquares += other._sumOfSquares;
    }

    /// <summary>The value that a share of all values do not exceed.</summary>
    /// <param name="share">From 0 to 1.</param>
    /// <returns>Nanoseconds; 0 if there is no value.</returns>
    public long Percentile(double share)
    {
        var wanted = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
            {
                return Math.Min(MaxNanoseconds, GreatestOf(i));
            }
        }

        return MaxNanoseconds;
    }

    private static int BucketOf(long value)
    {
        if (value < SubBuckets)
        {
            return (int)value;
        }

        var shift = BitOperations.Log2((ulong)value) - SubBucketBits;
        return ((shift + 1) * SubBuckets) + (int)((value >> shift) - SubBuckets);
    }

    private static long GreatestOf(int bucket)
    {
        if (bucket < SubBuckets)
        {
            return bucket;
        }

        var shift = (bucket / SubBuckets) - 1;
        return (((long)(bucket % SubBuckets) + SubBuckets + 1) << shift) - 1;
    }
}
