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
}

/// <summary>Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes that a client sends.</summary>
/// <remarks>Source: RFC 9113, 3.4. No request line of HTTP/1.1 opens with "PRI ".</remarks>
internal static class PrefaceJudge
{
    private static ReadOnlySpan<byte> Opening => "PRI "u8;

    /// <summary>Judges by what has arrived so far; consumes nothing.</summary>
    public static Preface Judge(in ReadOnlySequence<byte> bytes)
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
