using System.Buffers.Binary;

namespace Cairn.Bench.Http2;

/// <summary>Kinds of HTTP/2 frames. Source: RFC 9113, section 6.</summary>
internal enum FrameType : byte
{
    Data = 0,
    Headers = 1,
    Priority = 2,
    ResetStream = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

/// <summary>Flags of HTTP/2 frames; one bit has two meanings, by the kind of frame. Source: RFC 9113, section 6.</summary>
[Flags]
internal enum FrameFlags : byte
{
    None = 0,
    EndStreamOrAcknowledge = 0x1,
    EndHeaders = 0x4,
    Padded = 0x8,
    Priority = 0x20,
}

/// <summary>The nine bytes in front of every frame.</summary>
/// <param name="Length">Bytes of the payload.</param>
/// <param name="Type">Kind of frame.</param>
/// <param name="Flags">Flags of the kind.</param>
/// <param name="StreamId">The stream, or 0 for the connection.</param>
internal readonly record struct FrameHeader(int Length, FrameType Type, FrameFlags Flags, int StreamId)
{
    /// <summary>Bytes of a frame header.</summary>
    public const int Bytes = 9;

    /// <summary>Reads a header.</summary>
    /// <param name="source">At least nine bytes.</param>
    /// <returns>The header.</returns>
    public static FrameHeader Read(ReadOnlySpan<byte> source) => new(
        (source[0] << 16) | (source[1] << 8) | source[2],
        (FrameType)source[3],
        (FrameFlags)source[4],
        (int)(BinaryPrimitives.ReadUInt32BigEndian(source[5..]) & 0x7fffffff));

    /// <summary>Writes the header.</summary>
    /// <param name="destination">At least nine bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination[0] = (byte)(Length >> 16);
        destination[1] = (byte)(Length >> 8);
        destination[2] = (byte)Length;
        destination[3] = (byte)Type;
        destination[4] = (byte)Flags;
        BinaryPrimitives.WriteInt32BigEndian(destination[5..], StreamId);
    }
}
