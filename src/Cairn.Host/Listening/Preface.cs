using System.Buffers;

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
/// <remarks>Source: RFC 9113, 3.4. No request line of HTTP/1.1 opens with "PRI ".</remarks>
internal static class PrefaceJudge
{
    private static ReadOnlySpan<byte> Opening => "PRI "u8;

    /// <summary>Tells a handshake of TLS from anything in the clear, by the first byte; consumes nothing.</summary>
    /// <remarks>Source: RFC 8446, 5.1: a record of type handshake. No method of HTTP opens with it.</remarks>
    public static Preface JudgeTls(ReadOnlySequence<byte> bytes)
    {
        const byte handshake = 0x16;
        return bytes.IsEmpty ? Preface.Undecided : bytes.FirstSpan[0] == handshake ? Preface.Tls : Preface.Http1;
    }

    /// <summary>Judges by what has arrived so far; consumes nothing.</summary>
    public static Preface Judge(ReadOnlySequence<byte> bytes)
    {
        Span<byte> head = stackalloc byte[Opening.Length];
        int length = (int)Math.Min(bytes.Length, head.Length);
        bytes.Slice(0, length).CopyTo(head);
        if (!Opening.StartsWith(head[..length]))
        {
            return Preface.Http1;
        }

        return length == Opening.Length ? Preface.Http2 : Preface.Undecided;
    }
}
