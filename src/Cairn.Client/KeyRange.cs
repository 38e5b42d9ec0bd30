using Google.Protobuf;

namespace Cairn.Client;

/// <summary>A key, or all keys from one up to another, as requests name them.</summary>
/// <param name="Key">The key, or the first of the range.</param>
/// <param name="End">Empty for the single key; a zero byte for all keys from <paramref name="Key"/> on; else the first key after the range.</param>
/// <remarks>Source: the conventions of etcd's RangeRequest.</remarks>
public readonly record struct KeyRange(ByteString Key, ByteString End)
{
    private static readonly ByteString Zero = ByteString.CopyFrom(0);

    /// <summary>All keys.</summary>
    public static KeyRange All => new(Zero, Zero);

    /// <summary>One key.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The range of that key alone.</returns>
    public static KeyRange Of(ByteString key) => new(key, ByteString.Empty);

    /// <summary>All keys that begin with some bytes.</summary>
    /// <param name="prefix">The bytes; empty for all keys.</param>
    /// <returns>The range.</returns>
    public static KeyRange Prefix(ByteString prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        return prefix.IsEmpty ? All : new KeyRange(prefix, AfterPrefix(prefix.Span));
    }

    /// <summary>All keys that begin with a text.</summary>
    /// <param name="prefix">The text, taken as UTF-8.</param>
    /// <returns>The range.</returns>
    public static KeyRange Prefix(string prefix) => Prefix(ByteString.CopyFromUtf8(prefix));

    /// <summary>A key and all that come after it.</summary>
    /// <param name="key">The first key; empty for all keys.</param>
    /// <returns>The range.</returns>
    public static KeyRange From(ByteString key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.IsEmpty ? All : new KeyRange(key, Zero);
    }

    // The least key above all that have the prefix: its last byte that can grow, grown. With none, there is no such key.
    private static ByteString AfterPrefix(ReadOnlySpan<byte> prefix)
    {
        int last = prefix.LastIndexOfAnyExcept((byte)0xff);
        if (last < 0)
        {
            return Zero;
        }

        byte[] end = prefix[..(last + 1)].ToArray();
        end[last]++;
        return UnsafeByteOperations.UnsafeWrap(end);
    }
}
