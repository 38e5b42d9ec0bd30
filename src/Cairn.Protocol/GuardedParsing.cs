using System.Buffers;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cairn.Protocol;

/// <summary>Parses what comes from outside. The library alone can be made to allocate 2 GB by a few bytes.</summary>
/// <remarks>
/// It adds the length of a nested message to where that begins without a look at the sum, here version 3.25.1: lengths close to 2^31 make a negative limit of it, and whatever is
/// read then may be of any size. Such input is refused here as any is that ends too early, before the library sees it; what it accepts otherwise is accepted.
/// </remarks>
public static class GuardedParsing
{
    // Of a message no larger, a length that is too large for the sum has all of its bits 21 to 30 set.
    private const int QuickBytesMax = 1 << 21;

    // Of a length's five bytes, the fourth has its bits 21 to 27, the fifth bits 28 to 31; more are without meaning.
    private const byte Fourth = 0xFF;
    private const byte FifthMask = 0x0F;
    private const byte Fifth = 0x07;

    /// <summary>Parses a message.</summary>
    /// <typeparam name="T">What it should be.</typeparam>
    /// <param name="parser">The library's parser.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>The message.</returns>
    /// <exception cref="InvalidProtocolBufferException">They are no such message.</exception>
    public static T ParseGuarded<T>(this MessageParser<T> parser, ReadOnlySpan<byte> bytes)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(!IsSuspicious(bytes) || LengthWalk.Fits(bytes, DescriptorOf(parser)) ? bytes : LengthWalk.EndsTooEarly);
        }
        catch (Exception e) when (e is IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            // The library's own way to fail at some lengths; here all that is broken fails alike.
            return parser.ParseFrom(LengthWalk.EndsTooEarly);
        }
    }

    /// <summary>Parses a message that may be in pieces.</summary>
    /// <typeparam name="T">What it should be.</typeparam>
    /// <param name="parser">The library's parser.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>The message.</returns>
    /// <exception cref="InvalidProtocolBufferException">They are no such message.</exception>
    public static T ParseGuarded<T>(this MessageParser<T> parser, ReadOnlySequence<byte> bytes)
        where T : IMessage<T>
    {
        try
        {
            return !IsSuspicious(bytes) || Fits(bytes, DescriptorOf(parser)) ? parser.ParseFrom(bytes) : parser.ParseFrom(LengthWalk.EndsTooEarly);
        }
        catch (Exception e) when (e is IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            // As above.
            return parser.ParseFrom(LengthWalk.EndsTooEarly);
        }
    }

    /// <summary>Whether the bytes may hold a length that is too large: two bytes are looked for, and hardly ever found.</summary>
    internal static bool IsSuspicious(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > QuickBytesMax)
        {
            return true;
        }

        for (var at = bytes.IndexOf(Fourth); at >= 0 && at + 1 < bytes.Length; at = bytes.IndexOf(Fourth))
        {
            if ((bytes[at + 1] & FifthMask) == Fifth)
            {
                return true;
            }

            bytes = bytes[(at + 1)..];
        }

        return false;
    }

    private static bool IsSuspicious(in ReadOnlySequence<byte> bytes)
    {
        if (bytes.IsSingleSegment || bytes.Length > QuickBytesMax)
        {
            return bytes.Length > QuickBytesMax || IsSuspicious(bytes.FirstSpan);
        }

        byte before = 0;
        foreach (var piece in bytes)
        {
            var span = piece.Span;
            if (span.IsEmpty)
            {
                continue;
            }

            if ((before == Fourth && (span[0] & FifthMask) == Fifth) || IsSuspicious(span))
            {
                return true;
            }

            before = span[^1];
        }

        return false;
    }

    private static bool Fits(in ReadOnlySequence<byte> bytes, MessageDescriptor type)
    {
        if (bytes.IsSingleSegment)
        {
            return LengthWalk.Fits(bytes.FirstSpan, type);
        }

        var length = checked((int)bytes.Length);
        var whole = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            bytes.CopyTo(whole);
            return LengthWalk.Fits(whole.AsSpan(0, length), type);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    private static MessageDescriptor DescriptorOf<T>(MessageParser<T> parser)
        where T : IMessage<T>
    {
        return parser.ParseFrom(ReadOnlySpan<byte>.Empty).Descriptor;
    }
}
