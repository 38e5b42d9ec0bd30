using System.Buffers.Binary;
using Cairn.Storage;

namespace Cairn.State.Mvcc;

/// <summary>What stands in a row beside key and value.</summary>
internal readonly record struct RowFields(long CreateRevision, long ModRevision, long Version, long Lease);

/// <summary>The rows of the key space: canonical encodings of mvccpb.KeyValue, byte for byte what etcd stores.</summary>
/// <remarks>
/// <para>Fields ascend, zero and empty ones are absent; the row of a tombstone holds the key alone. A hash over rows equals etcd's only because of that.</para>
/// <code>
///   0a len key · 10 create_revision · 18 mod_revision · 20 version · 2a len value · 30 lease
/// </code>
/// <para>Source: etcd api/mvccpb/kv.proto.</para>
/// </remarks>
internal static class RowCodec
{
    /// <summary>Bytes of a revision key: main, '_', sub.</summary>
    public const int RevisionKeyLength = 17;

    /// <summary>Bytes of the revision key of a tombstone: the same and 't'.</summary>
    public const int TombstoneKeyLength = 18;

    private const byte KeyTag = 0x0A;
    private const byte CreateTag = 0x10;
    private const byte ModTag = 0x18;
    private const byte VersionTag = 0x20;
    private const byte ValueTag = 0x2A;
    private const byte LeaseTag = 0x30;

    /// <summary>Encodes the row of a put.</summary>
    public static byte[] EncodePut(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, RowFields fields)
    {
        var length = LengthOfBytes(key) + LengthOf(fields.CreateRevision) + LengthOf(fields.ModRevision) + LengthOf(fields.Version)
            + LengthOfBytes(value) + LengthOf(fields.Lease);
        var row = GC.AllocateUninitializedArray<byte>(length);
        var at = WriteBytes(row, 0, KeyTag, key);
        at = WriteNumber(row, at, CreateTag, fields.CreateRevision);
        at = WriteNumber(row, at, ModTag, fields.ModRevision);
        at = WriteNumber(row, at, VersionTag, fields.Version);
        at = WriteBytes(row, at, ValueTag, value);
        at = WriteNumber(row, at, LeaseTag, fields.Lease);
        Invariant.Holds(at == length);
        return row;
    }

    /// <summary>Encodes the row of a tombstone.</summary>
    public static byte[] EncodeTombstone(ReadOnlySpan<byte> key)
    {
        var row = new byte[LengthOfBytes(key)];
        WriteBytes(row, 0, KeyTag, key);
        return row;
    }

    /// <summary>Encodes what a watcher is told of a deletion: key and revision.</summary>
    public static byte[] EncodeDeletion(ReadOnlySpan<byte> key, long modRevision)
    {
        var row = new byte[LengthOfBytes(key) + LengthOf(modRevision)];
        WriteNumber(row, WriteBytes(row, 0, KeyTag, key), ModTag, modRevision);
        return row;
    }

    /// <summary>Reads a row.</summary>
    /// <returns>False if these bytes are no row.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> row, out RowFields fields, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        var reader = new WireReader(row);
        long create = 0, mod = 0, version = 0, lease = 0;
        key = default;
        value = default;
        while (reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case KeyTag:
                    key = reader.ReadBytes();
                    break;
                case CreateTag:
                    create = (long)reader.ReadVarint();
                    break;
                case ModTag:
                    mod = (long)reader.ReadVarint();
                    break;
                case VersionTag:
                    version = (long)reader.ReadVarint();
                    break;
                case ValueTag:
                    value = reader.ReadBytes();
                    break;
                case LeaseTag:
                    lease = (long)reader.ReadVarint();
                    break;
                default:
                    reader.Skip(tag);
                    break;
            }
        }

        fields = new RowFields(create, mod, version, lease);
        return !reader.IsBroken && !key.IsEmpty;
    }

    /// <summary>Copies a row without its value.</summary>
    public static byte[] WithoutValue(ReadOnlySpan<byte> row) =>
        TryDecode(row, out var fields, out var key, out _) ? EncodePut(key, default, fields) : throw Invariant.Unreachable("a checked row does not parse");

    /// <summary>Writes the key under which etcd stores a row.</summary>
    /// <param name="destination">At least <see cref="TombstoneKeyLength"/> bytes.</param>
    /// <param name="revision">Which row.</param>
    /// <param name="isTombstone">Whether it is a tombstone.</param>
    /// <returns>Bytes written.</returns>
    public static int WriteRevisionKey(Span<byte> destination, Revision revision, bool isTombstone)
    {
        BinaryPrimitives.WriteInt64BigEndian(destination, revision.Main);
        destination[8] = (byte)'_';
        BinaryPrimitives.WriteInt64BigEndian(destination[9..], revision.Sub);
        if (!isTombstone)
        {
            return RevisionKeyLength;
        }

        destination[RevisionKeyLength] = (byte)'t';
        return TombstoneKeyLength;
    }

    private static int LengthOf(long value) => value == 0 ? 0 : 1 + WireReader.LengthOfVarint((ulong)value);

    private static int LengthOfBytes(ReadOnlySpan<byte> value) =>
        value.IsEmpty ? 0 : 1 + WireReader.LengthOfVarint((ulong)value.Length) + value.Length;

    private static int WriteNumber(Span<byte> row, int at, byte tag, long value)
    {
        if (value == 0)
        {
            return at;
        }

        row[at] = tag;
        return at + 1 + WireReader.WriteVarint(row[(at + 1)..], (ulong)value);
    }

    private static int WriteBytes(Span<byte> row, int at, byte tag, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            return at;
        }

        row[at] = tag;
        at += 1 + WireReader.WriteVarint(row[(at + 1)..], (ulong)value.Length);
        value.CopyTo(row[at..]);
        return at + value.Length;
    }
}
