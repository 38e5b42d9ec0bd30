namespace Cairn.State.Mvcc;

/// <summary>Reads the protobuf wire format off a span, without objects. After a mistake in the bytes it ends, and <see cref="IsBroken"/> is set.</summary>
/// <param name="bytes">What to read.</param>
/// <remarks>Source: protobuf.dev, "Encoding".</remarks>
internal ref struct WireReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Whether the bytes broke off or made no sense.</summary>
    public bool IsBroken { get; private set; }

    public static int LengthOfVarint(ulong value) => ((63 - (int)ulong.LeadingZeroCount(value | 1)) / 7) + 1;

    public static int WriteVarint(Span<byte> destination, ulong value)
    {
        var at = 0;
        while (value >= 0x80)
        {
            destination[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[at] = (byte)value;
        return at + 1;
    }

    /// <summary>Reads the next tag.</summary>
    /// <returns>False at the end, and after a mistake.</returns>
    public bool TryReadTag(out ulong tag)
    {
        tag = 0;
        if (_rest.IsEmpty || IsBroken)
        {
            return false;
        }

        tag = ReadVarint();
        return !IsBroken;
    }

    public ulong ReadVarint()
    {
        ulong value = 0;
        for (var i = 0; i < _rest.Length && i < 10; i++)
        {
            var b = _rest[i];
            value |= (ulong)(b & 0x7F) << (7 * i);
            if (b < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        IsBroken = true;
        return 0;
    }

    public ReadOnlySpan<byte> ReadBytes()
    {
        var length = ReadVarint();
        if (IsBroken || length > (ulong)_rest.Length)
        {
            IsBroken = true;
            return default;
        }

        var value = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return value;
    }

    /// <summary>Skips the field whose tag was read.</summary>
    public void Skip(ulong tag)
    {
        switch (tag & 7)
        {
            case 0:
                ReadVarint();
                break;
            case 1:
                Drop(8);
                break;
            case 2:
                ReadBytes();
                break;
            case 5:
                Drop(4);
                break;
            default:
                IsBroken = true;
                break;
        }
    }

    private void Drop(int count)
    {
        if (count > _rest.Length)
        {
            IsBroken = true;
            return;
        }

        _rest = _rest[count..];
    }
}
