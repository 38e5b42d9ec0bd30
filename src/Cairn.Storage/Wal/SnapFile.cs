using System.Globalization;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Storage.Wal;

/// <summary>etcd's file of a raft snapshot, which stands beside its log: <c>snap/TERM-INDEX.snap</c>.</summary>
/// <remarks>
/// <code>
///   08 crc · 12 length raftpb.Snapshot        the checksum is CRC-32C of the snapshot's bytes
/// </code>
/// <para>Source: etcd server/etcdserver/api/snap/snapshotter.go. Pure functions, any thread.</para>
/// </remarks>
public static class SnapFile
{
    private const byte CrcTag = 0x08;
    private const byte DataTag = 0x12;

    // A 64-bit number in groups of seven bits.
    private const int VarintBytesMax = 10;

    // etcd's data here is the JSON of a membership with an event history: kilobytes. A file beyond this is something else.
    private const int BytesMax = 64 << 20;

    /// <summary>Names the file of a snapshot.</summary>
    /// <param name="term">Its term.</param>
    /// <param name="index">Its index.</param>
    /// <returns>The name, without a directory.</returns>
    public static string NameOf(ulong term, ulong index) => string.Create(CultureInfo.InvariantCulture, $"{term:x16}-{index:x16}.snap");

    /// <summary>Encodes a snapshot.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <returns>The whole file.</returns>
    public static byte[] Encode(Snapshot snapshot)
    {
        var data = new byte[SnapshotWire.Size(snapshot)];
        SnapshotWire.Write(snapshot, data);
        Span<byte> head = stackalloc byte[2 + (2 * VarintBytesMax)];
        head[0] = CrcTag;
        var at = 1 + Varint.Write(head[1..], Crc32C.Update(0, data));
        head[at++] = DataTag;
        at += Varint.Write(head[at..], (ulong)data.Length);
        return [.. head[..at], .. data];
    }

    /// <summary>Reads a file.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="path">The file.</param>
    /// <returns>The snapshot.</returns>
    /// <exception cref="CorruptionException">It is none, or damaged.</exception>
    public static Snapshot Read(IDisk disk, string path)
    {
        ArgumentNullException.ThrowIfNull(disk);
        using var file = disk.Open(path, OpenIntent.Read);
        if (file.Length > BytesMax)
        {
            throw new CorruptionException(path, 0, $"{file.Length} bytes are no snapshot of a membership");
        }

        var bytes = new byte[file.Length];
        var read = file.Read(0, bytes);
        Invariant.Holds(read == bytes.Length);
        return Decode(bytes) ?? throw new CorruptionException(path, 0, "the snapshot does not match its checksum");
    }

    private static Snapshot? Decode(byte[] bytes)
    {
        var at = 0;
        if (!TakeTag(bytes, ref at, CrcTag) || !Varint.TryRead(bytes, ref at, out var crc)
            || !TakeTag(bytes, ref at, DataTag) || !Varint.TryRead(bytes, ref at, out var length) || length != (ulong)(bytes.Length - at))
        {
            return null;
        }

        var data = bytes.AsMemory(at);
        return crc == Crc32C.Update(0, data.Span) && SnapshotWire.TryRead(data, out var snapshot) ? snapshot : null;
    }

    private static bool TakeTag(byte[] bytes, ref int at, byte tag) => at < bytes.Length && bytes[at++] == tag;
}
