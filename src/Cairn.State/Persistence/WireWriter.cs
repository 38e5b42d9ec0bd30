using System.Buffers;
using Cairn.State.Mvcc;

namespace Cairn.State.Persistence;

/// <summary>Writes the protobuf wire format, without objects; the counterpart of <see cref="WireReader"/>. Zero and empty fields are left out.</summary>
/// <param name="writer">Where to.</param>
internal readonly struct WireWriter(IBufferWriter<byte> writer)
{
    public void Number(int field, ulong value)
    {
        if (value != 0)
        {
            Varint((ulong)field << 3);
            Varint(value);
        }
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty)
        {
            Varint(((ulong)field << 3) | 2);
            Varint((ulong)value.Length);
            writer.Write(value);
        }
    }

    public void Varint(ulong value)
    {
        var span = writer.GetSpan(10);
        writer.Advance(WireReader.WriteVarint(span, value));
    }

    public void Raw(ReadOnlySpan<byte> value) => writer.Write(value);
}
