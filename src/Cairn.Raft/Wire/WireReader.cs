using System.Diagnostics.CodeAnalysis;

namespace Cairn.Raft.Wire;

/// <summary>Reads protobuf fields from bytes that may be anything. Every method returns false on bad bytes and none allocates.</summary>
/// <remarks>
/// Accepts what the generated Go code of raftpb accepts: varints of up to ten bytes, fields in any order, unknown fields, groups.
/// Source: etcd-io/raft, raftpb/raft.pb.go.
/// </remarks>
internal ref struct WireReader
{
    // A 64-bit number in groups of seven bits.
    private const int VarintBytesMax = 10;

    // Nobody sends groups; the limit only ends a hostile nesting.
    private const int GroupDepthMax = 32;

    private readonly ReadOnlyMemory<byte> _source;
    private readonly ReadOnlySpan<byte> _bytes;
    private int _position;

    public WireReader(ReadOnlyMemory<byte> source)
    {
        _source = source;
        _bytes = source.Span;
        _position = 0;
    }

    public readonly bool AtEnd => _position == _bytes.Length;

    public bool TryReadTag(out int field, out WireKind kind)
    {
        field = 0;
        kind = WireKind.Varint;
        if (!TryReadVarint(out var tag))
        {
            return false;
        }

        // As in Go, the field number is what remains in 32 bits; zero and negative ones do not exist.
        field = unchecked((int)(tag >> 3));
        kind = (WireKind)(tag & 7);
        return field > 0 && kind is not (WireKind.EndGroup or > WireKind.Fixed32);
    }

    public bool TryReadVarint(out ulong value)
    {
        value = 0;
        if (_position < _bytes.Length && _bytes[_position] < 0x80)
        {
            value = _bytes[_position++];
            return true;
        }

        for (var shift = 0; shift < 7 * VarintBytesMax; shift += 7)
        {
            if (_position == _bytes.Length)
            {
                return false;
            }

            var b = _bytes[_position++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    public bool TryReadVarint(WireKind kind, out ulong value)
    {
        value = 0;
        return kind == WireKind.Varint && TryReadVarint(out value);
    }

    public bool TryReadInt32(WireKind kind, out int value)
    {
        var read = TryReadVarint(kind, out var wide);
        value = unchecked((int)wide);
        return read;
    }

    public bool TryReadBool(WireKind kind, out bool value)
    {
        var read = TryReadVarint(kind, out var number);
        value = number != 0;
        return read;
    }

    /// <summary>Reads a length-delimited field; the result shares the bytes of the source.</summary>
    public bool TryReadBytes(WireKind kind, out ReadOnlyMemory<byte> value)
    {
        value = default;
        if (kind != WireKind.Bytes || !TryReadVarint(out var length) || length > (ulong)(_bytes.Length - _position))
        {
            return false;
        }

        value = _source.Slice(_position, (int)length);
        _position += (int)length;
        return true;
    }

    public bool TrySkip(WireKind kind)
    {
        switch (kind)
        {
            case WireKind.Varint:
                return TryReadVarint(out _);
            case WireKind.Fixed64:
                return TryAdvance(8);
            case WireKind.Bytes:
                return TryReadBytes(kind, out _);
            case WireKind.StartGroup:
                return TrySkipGroup();
            case WireKind.Fixed32:
                return TryAdvance(4);
            default:
                return false;
        }
    }

    /// <summary>Counts how often a length-delimited field occurs from here to the end, so that a list can be allocated once and exactly.</summary>
    [SuppressMessage("Performance", "CA1822", Justification = "Works on a copy of the reader, which stays where it is.")]
    public readonly int CountOf(int wanted)
    {
        var ahead = this;
        var count = 0;
        while (!ahead.AtEnd)
        {
            if (!ahead.TryReadTag(out var field, out var kind) || !ahead.TrySkip(kind))
            {
                break;
            }

            count += field == wanted && kind == WireKind.Bytes ? 1 : 0;
        }

        return count;
    }

    private bool TrySkipGroup()
    {
        for (var depth = 1; depth > 0;)
        {
            if (!TryReadVarint(out var tag))
            {
                return false;
            }

            var kind = (WireKind)(tag & 7);
            depth += kind switch { WireKind.StartGroup => 1, WireKind.EndGroup => -1, _ => 0 };
            if (depth > GroupDepthMax || (kind is not (WireKind.StartGroup or WireKind.EndGroup) && !TrySkip(kind)))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryAdvance(int count)
    {
        if (count > _bytes.Length - _position)
        {
            return false;
        }

        _position += count;
        return true;
    }
}

/// <summary>How a protobuf field is written.</summary>
internal enum WireKind
{
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    StartGroup = 3,
    EndGroup = 4,
    Fixed32 = 5,
}
