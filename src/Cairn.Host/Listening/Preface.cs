using System.Buffers;
using System.Buffers.Binary;

namespace Cairn.Host.Listening;

/// <summary>What the first bytes of a connection say about its protocol.</summary>
internal enum Preface
{
    /// <summary>Too few bytes to tell.</summary>
    Undecided,

    /// <summary>The connection opens with HTTP/2's preface, sent by clients that know beforehand that the server speaks it.</summary>
    Http2,

    /// <summary>Anything else; HTTP/1.1 will accept or refuse it.</summary>
    Http1,

    /// <summary>A handshake of TLS.</summary>
    Tls,
}

/// <summary>Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes that a client sends.</summary>
/// <remarks>Source: RFC 9113, 3.4. No request line of HTTP/1.1 opens with "PRI ". Clients send all of the opening at once.</remarks>
internal static class PrefaceJudge
{
    // Kestrel takes a request line of 8 KiB and headers of 32; it refuses whoever sends more.
    private const int HeadBytesMax = 40 * 1024;

    private const int RecordHeadBytes = 5;

    // RFC 8446, 5.1: the most that a record in the clear may hold.
    private const int RecordBytesMax = 16 * 1024;

    // Below the tab: what text does not have.
    private const byte ControlMax = 0x08;

    private static ReadOnlySpan<byte> Opening => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>
    /// Tells a handshake of TLS from anything in the clear, by the first byte; consumes nothing. The first record of the handshake is waited for as a whole: nothing is set up for a client
    /// that sends no more than its beginning.
    /// </summary>
    /// <remarks>Source: RFC 8446, 5.1: a record of type handshake. No method of HTTP opens with it.</remarks>
    public static Preface JudgeTls(ReadOnlySequence<byte> bytes)
    {
        const byte handshake = 0x16;
        Span<byte> head = stackalloc byte[RecordHeadBytes];
        head = head[..(int)Math.Min(bytes.Length, RecordHeadBytes)];
        bytes.Slice(0, head.Length).CopyTo(head);
        if (head.IsEmpty || head[0] != handshake)
        {
            return head.IsEmpty ? Preface.Undecided : Preface.Http1;
        }

        if (head.Length < RecordHeadBytes)
        {
            return Preface.Undecided;
        }

        // Who says that more follows than a record may have is refused by the handshake.
        int length = BinaryPrimitives.ReadUInt16BigEndian(head[(RecordHeadBytes - sizeof(ushort))..]);
        return length > RecordBytesMax || bytes.Length >= RecordHeadBytes + length ? Preface.Tls : Preface.Undecided;
    }

    /// <summary>
    /// Judges by what has arrived so far; consumes nothing. The opening of HTTP/2 is waited for as a whole, and so is a head of HTTP/1.1 as long as it looks like one: the web server
    /// sets up a good deal for each connection that it is given.
    /// </summary>
    public static Preface Judge(ReadOnlySequence<byte> bytes)
    {
        Span<byte> head = stackalloc byte[Opening.Length];
        int length = (int)Math.Min(bytes.Length, head.Length);
        bytes.Slice(0, length).CopyTo(head);
        if (!Opening.StartsWith(head[..length]))
        {
            return IsHeadUnderWay(bytes) ? Preface.Undecided : Preface.Http1;
        }

        return length == Opening.Length ? Preface.Http2 : Preface.Undecided;
    }

    /// <summary>Whether this is the beginning of a head of HTTP/1.1, and more of it must come: whatever else it is, the server of HTTP/1.1 refuses it at once.</summary>
    private static bool IsHeadUnderWay(ReadOnlySequence<byte> bytes)
    {
        if (bytes.Length > HeadBytesMax)
        {
            return false;
        }

        foreach (ReadOnlyMemory<byte> piece in bytes)
        {
            if (piece.Span.ContainsAnyInRange((byte)0, ControlMax))
            {
                return false;
            }
        }

        var reader = new SequenceReader<byte>(bytes);
        bool isFirst = true;
        while (reader.TryReadTo(out ReadOnlySequence<byte> line, (byte)'\n'))
        {
            bool isEmpty = line.Length == 0 || (line.Length == 1 && line.FirstSpan[0] == '\r');
            if (isEmpty || (isFirst && !IsRequestLine(line)))
            {
                return false;
            }

            isFirst = false;
        }

        return true;
    }

    private static bool IsRequestLine(ReadOnlySequence<byte> line) =>
        (line.IsSingleSegment ? line.FirstSpan : line.ToArray()).LastIndexOf(" HTTP/1."u8) > 0;
}
