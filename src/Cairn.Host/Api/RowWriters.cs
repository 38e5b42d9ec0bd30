using System.Buffers;
using Cairn.Grpc;
using Cairn.Server.Reads;
using Cairn.Server.Watch;

namespace Cairn.Host.Api;

/// <summary>Writers of answers that are kept as rows: the messages of the wire are made of them without ever being built.</summary>
internal static class RowWriters
{
    // A message of one length-delimited field, number 1, as in RangeStreamResponse.
    private const byte FirstFieldTag = 0x0a;

    // A 32-bit length takes at most five groups of seven bits.
    private const int VarintBytesMax = 5;

    /// <summary>Writes a RangeResponse.</summary>
    public static int Range(IBufferWriter<byte> output, RangeAnswer answer)
    {
        int length = checked((int)answer.ByteCount);
        Head(output, length);
        answer.WriteTo(output);
        return length;
    }

    /// <summary>Writes the head of a RangeResponse; all of the message follows.</summary>
    public static int RangeHead(IBufferWriter<byte> output, RangeAnswer answer)
    {
        int length = checked((int)answer.ByteCount);
        Head(output, length);
        return length;
    }

    /// <summary>Writes a RangeStreamResponse.</summary>
    public static int RangeChunk(IBufferWriter<byte> output, RangeAnswer chunk)
    {
        Span<byte> field = stackalloc byte[1 + VarintBytesMax];
        field[0] = FirstFieldTag;
        int chunkBytes = checked((int)chunk.ByteCount);
        int fieldBytes = 1 + WriteVarint(field[1..], (uint)chunkBytes);
        int length = checked(fieldBytes + chunkBytes);
        Head(output, length);
        output.Write(field[..fieldBytes]);
        chunk.WriteTo(output);
        return length;
    }

    /// <summary>Writes a WatchResponse.</summary>
    public static int Watch(IBufferWriter<byte> output, WatchDelivery delivery)
    {
        int length = delivery.ByteCount;
        Head(output, length);
        delivery.WriteTo(output);
        return length;
    }

    private static void Head(IBufferWriter<byte> output, int length)
    {
        Framing.WriteHead(output.GetSpan(Framing.HeadBytes), (uint)length);
        output.Advance(Framing.HeadBytes);
    }

    private static int WriteVarint(Span<byte> destination, uint value)
    {
        int length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            destination[length++] = (byte)(value | 0x80);
        }

        destination[length++] = (byte)value;
        return length;
    }
}
