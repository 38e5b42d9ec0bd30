namespace Cairn.Server.Watch;

/// <summary>The keys a watcher wants: one, an interval, or all from a key on.</summary>
/// <remarks>
/// As requests say it: no end is the key alone, an end of one zero byte is "from the key on". Here an interval [First, End) has an End, and an open one has
/// a null End. Source: etcd api/v3rpc/watch.go.
/// </remarks>
internal readonly struct KeyRange
{
    private KeyRange(byte[] first, byte[]? end, bool isSingle)
    {
        First = first;
        End = end;
        IsSingle = isSingle;
    }

    /// <summary>Smallest key.</summary>
    public byte[] First { get; }

    /// <summary>First key beyond; null if there is no upper bound, or if the range is a single key.</summary>
    public byte[]? End { get; }

    /// <summary>Whether the range is just <see cref="First"/>.</summary>
    public bool IsSingle { get; }

    /// <summary>Reads a range as a watch request gives it.</summary>
    /// <param name="key">Key; empty means the smallest possible one.</param>
    /// <param name="rangeEnd">End, as above.</param>
    /// <param name="range">The range.</param>
    /// <returns>False if the end is not above the key.</returns>
    public static bool TryCreate(ReadOnlySpan<byte> key, ReadOnlySpan<byte> rangeEnd, out KeyRange range)
    {
        byte[] first = key.IsEmpty ? [0] : key.ToArray();
        if (rangeEnd.IsEmpty)
        {
            range = new KeyRange(first, null, isSingle: true);
            return true;
        }

        if (rangeEnd.Length == 1 && rangeEnd[0] == 0)
        {
            range = new KeyRange(first, null, isSingle: false);
            return true;
        }

        range = new KeyRange(first, rangeEnd.ToArray(), isSingle: false);
        return first.AsSpan().SequenceCompareTo(rangeEnd) < 0;
    }

    /// <summary>Whether a key is in the range.</summary>
    /// <param name="key">The key.</param>
    /// <returns>True if wanted.</returns>
    public bool Contains(ReadOnlySpan<byte> key)
    {
        if (IsSingle)
        {
            return key.SequenceEqual(First);
        }

        return key.SequenceCompareTo(First) >= 0 && (End is null || key.SequenceCompareTo(End) < 0);
    }
}
