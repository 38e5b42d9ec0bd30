using System.Buffers;
using System.IO.Compression;

namespace Cairn.Grpc;

/// <summary>What came of inflating a message.</summary>
public enum InflateOutcome
{
    /// <summary>The whole message was inflated.</summary>
    Complete,

    /// <summary>The message would be longer than allowed; nothing beyond the limit was inflated.</summary>
    TooLarge,

    /// <summary>The bytes are not gzip.</summary>
    Malformed,
}

/// <summary>The <c>gzip</c> encoding of messages, with a bound on what a small message may unfold to.</summary>
public static class Gzip
{
    /// <summary>The name of the encoding in <c>grpc-encoding</c>.</summary>
    public const string Name = "gzip";

    /// <summary>Inflates one message.</summary>
    /// <param name="compressed">The message as it arrived.</param>
    /// <param name="messageBytesMax">The longest message that is inflated.</param>
    /// <param name="message">The message; empty unless complete. The caller owns it.</param>
    /// <returns>What came of it.</returns>
    public static InflateOutcome TryInflate(in ReadOnlySequence<byte> compressed, int messageBytesMax, out byte[] message)
    {
        message = [];
        using var source = new MemoryStream(compressed.ToArray(), writable: false);
        using var inflater = new GZipStream(source, CompressionMode.Decompress);
        byte[] rented = ArrayPool<byte>.Shared.Rent(messageBytesMax + 1);
        try
        {
            int length = inflater.ReadAtLeast(rented.AsSpan(0, messageBytesMax + 1), messageBytesMax + 1, throwOnEndOfStream: false);
            if (length > messageBytesMax)
            {
                return InflateOutcome.TooLarge;
            }

            message = rented.AsSpan(0, length).ToArray();
            return length == 0 && compressed.IsEmpty ? InflateOutcome.Malformed : InflateOutcome.Complete;
        }
        catch (InvalidDataException)
        {
            return InflateOutcome.Malformed;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
