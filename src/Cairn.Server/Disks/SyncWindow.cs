namespace Cairn.Server.Disks;

/// <summary>How long syncs took, over the last seconds: what is needed for quantiles, not each of them.</summary>
/// <remarks>
/// Example: at second 12 a sync of 3 ms is counted in slot 12 mod 10, which first forgets what it knew of second 2, in the bucket of 2.9 to 4.1 ms. A quantile
/// is the upper bound of its bucket, so at most 41 % too high. Any thread; one lock.
/// </remarks>
/// <param name="time">Source of time.</param>
internal sealed class SyncWindow(TimeProvider time)
{
    private const int Seconds = 10;

    // From 16 µs in steps of √2: the last bound is above four minutes.
    private const int Buckets = 48;
    private const double FirstMicroseconds = 16;

    private readonly Lock _lock = new();
    private readonly int[][] _counts = [.. Enumerable.Range(0, Seconds).Select(static _ => new int[Buckets])];
    private readonly TimeSpan[] _worst = new TimeSpan[Seconds];
    private readonly long[] _second = new long[Seconds];
    private readonly long _origin = time.GetTimestamp();

    /// <summary>Counts a sync that ended now.</summary>
    /// <param name="took">How long it took.</param>
    public void Add(TimeSpan took)
    {
        lock (_lock)
        {
            var second = Now();
            var slot = (int)(second % Seconds);
            if (_second[slot] != second)
            {
                _second[slot] = second;
                _worst[slot] = TimeSpan.Zero;
                Array.Clear(_counts[slot]);
            }

            _counts[slot][BucketOf(took)]++;
            _worst[slot] = took > _worst[slot] ? took : _worst[slot];
        }
    }

    /// <summary>Sums up the last ten seconds.</summary>
    /// <returns>Number and quantiles; all zero if there was no sync.</returns>
    public SyncTimes Measure()
    {
        Span<int> sum = stackalloc int[Buckets];
        var (count, worst) = (0, TimeSpan.Zero);
        lock (_lock)
        {
            var oldest = Now() - Seconds + 1;
            for (var slot = 0; slot < Seconds; slot++)
            {
                if (_second[slot] < oldest)
                {
                    continue;
                }

                worst = _worst[slot] > worst ? _worst[slot] : worst;
                for (var bucket = 0; bucket < Buckets; bucket++)
                {
                    sum[bucket] += _counts[slot][bucket];
                    count += _counts[slot][bucket];
                }
            }
        }

        return new SyncTimes(count, Quantile(sum, count, 0.5, worst), Quantile(sum, count, 0.99, worst), worst);
    }

    private static int BucketOf(TimeSpan took)
    {
        var steps = 2 * Math.Log2(Math.Max(took.TotalMicroseconds / FirstMicroseconds, 1));
        return Math.Min((int)Math.Ceiling(steps), Buckets - 1);
    }

    private static TimeSpan Quantile(ReadOnlySpan<int> counts, int count, double quantile, TimeSpan worst)
    {
        var before = (int)(count * quantile);
        for (var bucket = 0; bucket < Buckets && count > 0; bucket++)
        {
            before -= counts[bucket];
            if (before < 0)
            {
                var bound = TimeSpan.FromMicroseconds(FirstMicroseconds * Math.Pow(2, bucket / 2.0));
                return bound < worst ? bound : worst;
            }
        }

        return worst;
    }

    // The first second is Seconds, so that slots that were never used are older than any window.
    private long Now() => (long)time.GetElapsedTime(_origin).TotalSeconds + Seconds;
}

/// <summary>How long syncs took.</summary>
/// <param name="Count">How many ended.</param>
/// <param name="Median">Half of them took no longer.</param>
/// <param name="P99">99 of 100 took no longer.</param>
/// <param name="Worst">The longest.</param>
internal readonly record struct SyncTimes(int Count, TimeSpan Median, TimeSpan P99, TimeSpan Worst);
