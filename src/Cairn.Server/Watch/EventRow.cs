namespace Cairn.Server.Watch;

/// <summary>The little that a watch must know of an encoded mvccpb.KeyValue: key is field 1 and comes first, mod_revision is field 3.</summary>
internal static class EventRow
{
    private const byte KeyTag = 0x0A;
    private const byte ModRevisionTag = 0x18;

    /// <summary>Finds the key in a row.</summary>
    /// <param name="row">A canonically encoded row.</param>
    /// <returns>The key; never empty.</returns>
    public static ReadOnlySpan<byte> KeyOf(ReadOnlySpan<byte> row)
    {
        Invariant.Holds(row.Length > 2 && row[0] == KeyTag);
        var length = 0;
        var at = 1;
        for (var shift = 0; ; shift += 7)
        {
            length |= (row[at] & 0x7F) << shift;
            if (row[at++] < 0x80)
            {
                break;
            }
        }

        return row.Slice(at, length);
    }

    /// <summary>Encodes what a watcher is told of a deleted key: the key, and when.</summary>
    /// <param name="key">The key.</param>
    /// <param name="revision">Revision of the deletion.</param>
    /// <returns>A canonically encoded row.</returns>
    public static byte[] EncodeDeletion(ReadOnlySpan<byte> key, long revision)
    {
        Span<byte> head = stackalloc byte[6];
        head[0] = KeyTag;
        var headBytes = 1 + OutgoingEvent.WriteVarint(head[1..], (uint)key.Length);
        Span<byte> tail = stackalloc byte[11];
        tail[0] = ModRevisionTag;
        var tailBytes = 1 + WriteVarint(tail[1..], (ulong)revision);
        var row = new byte[headBytes + key.Length + tailBytes];
        head[..headBytes].CopyTo(row);
        key.CopyTo(row.AsSpan(headBytes));
        tail[..tailBytes].CopyTo(row.AsSpan(headBytes + key.Length));
        return row;
    }

    private static int WriteVarint(Span<byte> destination, ulong value)
    {
        var at = 0;
        while (value >= 0x80)
        {
            destination[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[at++] = (byte)value;
        return at;
    }
}
