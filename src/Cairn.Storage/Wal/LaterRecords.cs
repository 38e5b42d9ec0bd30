using System.Globalization;

namespace Cairn.Storage.Wal;

/// <summary>Looks behind a broken frame for records that prove that the frame was synced once.</summary>
/// <remarks>
/// A block of old bytes that a disk left where new ones should be is no proof: states say where in the segment their batch begins, so an old one is out of
/// place; and for what etcd wrote, records whose checksum occurs before the broken frame are old ones.
/// </remarks>
internal readonly ref struct LaterRecords
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _broken;
    private readonly int _batch;
    private readonly bool _byEtcd;

    /// <summary>Prepares to look.</summary>
    /// <param name="bytes">The segment.</param>
    /// <param name="broken">Where the broken frame begins.</param>
    /// <param name="batch">End of the last whole batch of Cairn's before it.</param>
    /// <param name="byEtcd">Whether etcd wrote what lies between the two.</param>
    public LaterRecords(ReadOnlySpan<byte> bytes, int broken, int batch, bool byEtcd)
    {
        Invariant.Holds(batch <= broken && broken % WalFrame.Alignment == 0);
        _bytes = bytes;
        _broken = broken;
        _batch = batch;
        _byEtcd = byEtcd;
    }

    /// <summary>Looks.</summary>
    /// <returns>The proof, as a clause; null if there is none.</returns>
    public string? ProveSync()
    {
        var old = _byEtcd ? ChecksumsBefore() : [];
        for (var offset = _broken + WalFrame.Alignment; offset < _bytes.Length; offset += WalFrame.Alignment)
        {
            if (!WalFrame.TryRead(_bytes, offset, out var frame))
            {
                continue;
            }

            if (ProvesByBatch(frame))
            {
                return string.Create(CultureInfo.InvariantCulture, $"a later batch ends at {frame.End}");
            }

            if (_byEtcd && !old.Contains(frame.Crc) && ProvesByOrder(frame))
            {
                return string.Create(CultureInfo.InvariantCulture, $"records of a later write follow from {frame.Offset} on");
            }
        }

        return null;
    }

    private bool ProvesByBatch(in WalFrame frame)
    {
        if (frame.Type != WalRecordType.State || !WalPayload.TryReadState(frame.Data, out _, out var batch) || batch == WalPayload.NoBatch)
        {
            return false;
        }

        if (batch > _broken)
        {
            return batch <= frame.Offset && batch % WalFrame.Alignment == 0;
        }

        return (_byEtcd ? batch >= _batch : batch == _batch) && TryReadNext(frame.Crc, frame.End, out _);
    }

    // etcd syncs every write that holds entries, or a mark. So [entry … state] and something behind, or a mark and something behind, is a synced write; it
    // collects states alone without a sync, so those prove nothing. The broken record counts as an entry if it still says so.
    private bool ProvesByOrder(WalFrame frame)
    {
        var synced = false;
        var entries = _bytes[(_broken + WalFrame.LengthFieldBytes)..].StartsWith([WalFrame.TypeTag, (byte)WalRecordType.Entry]);
        while (true)
        {
            synced = frame.Type == WalRecordType.Snapshot || (entries && frame.Type == WalRecordType.State);
            entries |= frame.Type == WalRecordType.Entry;
            if (!TryReadNext(frame.Crc, frame.End, out var next))
            {
                return false;
            }

            if (synced)
            {
                return true;
            }

            frame = next;
        }
    }

    private bool TryReadNext(uint crc, int end, out WalFrame next) =>
        WalFrame.TryRead(_bytes, end, out next)
        && next.Type is not (WalRecordType.Crc or WalRecordType.Metadata)
        && next.Crc == Crc32C.Update(crc, next.Data);

    private HashSet<uint> ChecksumsBefore()
    {
        var checksums = new HashSet<uint>();
        for (var offset = 0; offset < _broken && WalFrame.TryRead(_bytes, offset, out var frame); offset = frame.End)
        {
            checksums.Add(frame.Crc);
        }

        return checksums;
    }
}
