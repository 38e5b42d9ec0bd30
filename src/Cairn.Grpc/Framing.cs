using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Cairn.Grpc;

/// <summary>What <see cref="Framing.TryRead"/> found at the head of the bytes.</summary>
public enum FrameOutcome
{
    /// <summary>The frame has not arrived as a whole; read more.</summary>
    Incomplete,

    /// <summary>One frame was taken off the bytes.</summary>
    Complete,

    /// <summary>The frame announces more bytes than allowed; the stream cannot be read any further.</summary>
    TooLarge,

    /// <summary>The first byte of the frame is neither 0 nor 1; the stream cannot be read any further.</summary>
    BadFlag,
}

/// <summary>The head of a frame.</summary>
/// <param name="Flag">0: as it is, 1: compressed as <c>grpc-encoding</c> says; anything else breaks the protocol.</param>
/// <param name="Length">Bytes of the message that follows.</param>
public readonly record struct FrameHead(byte Flag, uint Length)
{
    /// <summary>Whether the message is compressed.</summary>
    public bool Compressed => Flag == 1;
}

/// <summary>Length-prefixed messages: one flag byte, four bytes of length in network order, then the message.</summary>
/// <remarks>Pure functions, any thread. Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".</remarks>
public static class Framing
{
    /// <summary>Bytes before each message.</summary>
    public const int HeadBytes = 5;

    // Up to this size a message is written into one span, which the pipes of Kestrel and HttpClient give without a copy; larger ones go block by block.
    private const int OneSpanMax = 4096 - HeadBytes;

    /// <summary>Takes one message off the head of the bytes.</summary>
    /// <param name="bytes">What has arrived; moved past the frame when it is complete, else left alone.</param>
    /// <param name="messageBytesMax">The longest message that is taken.</param>
    /// <param name="head">The head of the frame, known for every outcome but <see cref="FrameOutcome.Incomplete"/>.</param>
    /// <param name="message">The message, still compressed if the head says so; valid as long as the bytes are.</param>
    /// <returns>What was found.</returns>
    public static FrameOutcome TryRead(ref ReadOnlySequence<byte> bytes, uint messageBytesMax, out FrameHead head, out ReadOnlySequence<byte> message)
    {
        head = default;
        message = default;
        if (bytes.Length < HeadBytes)
        {
            return FrameOutcome.Incomplete;
        }

        head = ReadHead(bytes);
        if (head.Flag > 1)
        {
            return FrameOutcome.BadFlag;
        }

        if (head.Length > messageBytesMax)
        {
            return FrameOutcome.TooLarge;
        }

        if (bytes.Length - HeadBytes < head.Length)
        {
            return FrameOutcome.Incomplete;
        }

        message = bytes.Slice(HeadBytes, head.Length);
        bytes = bytes.Slice(HeadBytes + (long)head.Length);
        return FrameOutcome.Complete;
    }

    /// <summary>Writes a head.</summary>
    /// <param name="destination">At least <see cref="HeadBytes"/> bytes.</param>
    /// <param name="length">Bytes of the message that follows.</param>
    /// <param name="compressed">Whether it is compressed.</param>
    public static void WriteHead(Span<byte> destination, uint length, bool compressed = false)
    {
        destination[0] = compressed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], length);
    }

    /// <summary>Writes one message with its head, uncompressed. Flushing is the caller's.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="message">The message.</param>
    /// <returns>Bytes of the message, without the head.</returns>
    public static int Write(IBufferWriter<byte> output, IMessage message)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(message);
        int length = message.CalculateSize();
        if (length <= OneSpanMax)
        {
            Span<byte> whole = output.GetSpan(HeadBytes + length);
            WriteHead(whole, (uint)length);
            message.WriteTo(whole.Slice(HeadBytes, length));
            output.Advance(HeadBytes + length);
            return length;
        }

        WriteHead(output.GetSpan(HeadBytes), (uint)length);
        output.Advance(HeadBytes);
        message.WriteTo(output);
        return length;
    }

    private static FrameHead ReadHead(in ReadOnlySequence<byte> bytes)
    {
        if (bytes.FirstSpan.Length >= HeadBytes)
        {
            return new FrameHead(bytes.FirstSpan[0], BinaryPrimitives.ReadUInt32BigEndian(bytes.FirstSpan[1..]));
        }

        Span<byte> copy = stackalloc byte[HeadBytes];
        bytes.Slice(0, HeadBytes).CopyTo(copy);
        return new FrameHead(copy[0], BinaryPrimitives.ReadUInt32BigEndian(copy[1..]));
    }
}
