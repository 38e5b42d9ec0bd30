using System.Numerics;

namespace Cairn.Raft.Wire;

/// <summary>Writes protobuf fields front to back into bytes that are large enough: the caller computed the size before.</summary>
internal ref struct WireWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    public int Position { get; private set; }

    public static int SizeOf(ulong value) => (BitOperations.Log2(value | 1) + 7) / 7;

    /// <summary>Size of a varint field with a one-byte tag.</summary>
    public static int FieldSize(ulong value) => 1 + SizeOf(value);

    /// <summary>Size of a length-delimited field with a one-byte tag.</summary>
    public static int BytesFieldSize(int length) => 1 + SizeOf((ulong)length) + length;

    /// <summary>Size of a length-delimited field that is left out when there is nothing in it.</summary>
    public static int OptionalBytesFieldSize(int length) => length == 0 ? 0 : BytesFieldSize(length);

    public void Field(int field, ulong value)
    {
        Tag(field, WireKind.Varint);
        Varint(value);
    }

    public void Field(int field, bool value) => Field(field, value ? 1UL : 0UL);

    public void BytesField(int field, ReadOnlySpan<byte> value)
    {
        Length(field, value.Length);
        value.CopyTo(_destination[Position..]);
        Position += value.Length;
    }

    public void OptionalBytesField(int field, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty)
        {
            BytesField(field, value);
        }
    }

    /// <summary>Begins a length-delimited field whose content the caller writes next.</summary>
    public void Length(int field, int length)
    {
        Tag(field, WireKind.Bytes);
        Varint((ulong)length);
    }

    private void Tag(int field, WireKind kind) => _destination[Position++] = (byte)((field << 3) | (int)kind);

    private void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _destination[Position++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _destination[Position++] = (byte)value;
    }
}
