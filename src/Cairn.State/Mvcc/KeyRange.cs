using Google.Protobuf;

namespace Cairn.State.Mvcc;

/// <summary>The keys that a key and a range_end name, by etcd's convention.</summary>
/// <remarks>
/// <code>
///   key "a"                      the key a
///   key "a", end "c"             [a, c)
///   key "a", end 0x00            every key from a on
///   key "c", end "a"             nothing
/// </code>
/// <para>Source: etcd api/etcdserverpb/rpc.proto, server/etcdserver/txn/txn.go (mkGteRange).</para>
/// </remarks>
internal readonly struct KeyRange
{
    private readonly ReadOnlyMemory<byte> _end;
    private readonly Extent _extent;

    public KeyRange(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> rangeEnd)
    {
        Start = key;
        _end = rangeEnd;
        _extent = rangeEnd.Length switch
        {
            0 => Extent.One,
            1 when rangeEnd.Span[0] == 0 => Extent.Rest,
            _ => Extent.Interval,
        };
    }

    private enum Extent : byte
    {
        One,
        Rest,
        Interval,
    }

    public ReadOnlyMemory<byte> Start { get; }

    public bool IsSingleKey => _extent == Extent.One;

    public static KeyRange Of(ByteString key, ByteString rangeEnd) => new(key.Memory, rangeEnd.Memory);

    public bool Contains(ReadOnlySpan<byte> key) => _extent switch
    {
        Extent.One => key.SequenceEqual(Start.Span),
        Extent.Rest => key.SequenceCompareTo(Start.Span) >= 0,
        _ => key.SequenceCompareTo(Start.Span) >= 0 && key.SequenceCompareTo(_end.Span) < 0,
    };

    /// <summary>Walks the histories of the keys of this range; not for a single key.</summary>
    public IndexCursor Walk(IndexNode root)
    {
        Invariant.Holds(!IsSingleKey);
        return new IndexCursor(root, Start.Span, _extent == Extent.Rest ? default : _end);
    }
}
