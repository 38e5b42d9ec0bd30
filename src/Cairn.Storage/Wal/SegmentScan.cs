using System.Globalization;
using Cairn.Raft;

namespace Cairn.Storage.Wal;

/// <summary>Finds where a segment ends, and tells a torn tail, which nobody was ever told of, from rot in what was promised.</summary>
/// <remarks>
/// <para>
/// Cairn writes <c>[entry entry state] [state] [entry state] …</c>: every batch ends with a state record that says where the batch begins, and a batch is
/// written only after the sync of the one before returned. So of a segment only the last batch can be torn, in any way: its sectors reach the disk in any
/// order. Worked example, with a broken frame at B:
/// </para>
/// <code>
///   [e e s][e B s]0000            the state claims the batch that holds B, nothing follows: torn, the log ends before that batch.
///   [e e s][e B s][e ...          something valid follows that state: the batch was synced, so this is rot.
///   [e e B][e e s]0000            the state claims a batch that begins behind B: the batch of B was synced, so this is rot.
/// </code>
/// <para>
/// etcd ends batches with a state only when the state changed, and says nowhere where a batch begins. For what it wrote, its own rule is kept (a broken record
/// in the last segment is torn if one of its sectors is all zero, or if the file ends first), and made stricter where the records behind prove a sync.
/// </para>
/// <para>Source: etcd server/storage/wal/decoder.go; docs/decisions/0001.</para>
/// </remarks>
internal ref struct SegmentScan
{
    private const int SectorBytes = 512;
    private const int HeadRecords = 3; // Checksum, metadata, and a state or a mark: synced before the segment got its name.

    private readonly string _path;
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly uint? _nextSeed;
    private int _records;
    private int _offset;
    private uint _crc;
    private ulong _firstIndex;
    private ulong _lastIndex;

    // Ends of the last two batches of Cairn's, and their checksums.
    private int _batchEnd;
    private uint _batchEndCrc;
    private int _batchEndBefore;
    private uint _batchEndBeforeCrc;
    private bool _byEtcd;

    private SegmentScan(string path, ReadOnlySpan<byte> bytes, uint? nextSeed)
    {
        _path = path;
        _bytes = bytes;
        _nextSeed = nextSeed;
        _byEtcd = true; // Until a state of Cairn's says otherwise.
    }

    /// <summary>Finds the end.</summary>
    /// <param name="path">The segment, for messages.</param>
    /// <param name="bytes">All its bytes.</param>
    /// <param name="nextSeed">The checksum with which the next segment continues; null for the last segment.</param>
    /// <returns>The end.</returns>
    /// <exception cref="CorruptionException">Something that was synced is damaged.</exception>
    public static SegmentEnd Find(string path, ReadOnlySpan<byte> bytes, uint? nextSeed)
    {
        var scan = new SegmentScan(path, bytes, nextSeed);
        while (scan.TryStep())
        {
        }

        Invariant.Holds(scan._batchEnd <= scan._offset && scan._batchEndBefore <= scan._batchEnd);
        return nextSeed is { } seed ? scan.EndBefore(seed) : scan.EndOfLog();
    }

    /// <summary>Finds what is sound behind a damage: it begins behind the end of a batch, from which on the checksums hold to the end of the segment.</summary>
    /// <param name="path">The segment, for messages.</param>
    /// <param name="bytes">All its bytes.</param>
    /// <param name="damage">Where the damaged record begins.</param>
    /// <param name="nextSeed">The checksum with which the next segment continues; null for the last segment.</param>
    /// <param name="sound">It.</param>
    /// <returns>False if nothing, or no entry, is found.</returns>
    /// <exception cref="CorruptionException">There is more damage.</exception>
    public static bool TryFindBehind(string path, ReadOnlySpan<byte> bytes, int damage, uint? nextSeed, out (int Begin, ulong FirstIndex, SegmentEnd End) sound)
    {
        for (var offset = damage + WalFrame.Alignment; offset < bytes.Length; offset += WalFrame.Alignment)
        {
            if (!WalFrame.TryRead(bytes, offset, out var state) || state.Type != WalRecordType.State
                || !WalPayload.TryReadState(state.Data, out _, out var batch) || batch == WalPayload.NoBatch || batch > offset)
            {
                continue;
            }

            // Its own checksum cannot be judged, since the one before it is not known; those that follow can.
            var scan = new SegmentScan(path, bytes, nextSeed)
            {
                _offset = state.End,
                _crc = state.Crc,
                _records = HeadRecords,
                _batchEnd = state.End,
                _batchEndCrc = state.Crc,
                _byEtcd = false,
            };
            while (scan.TryStep())
            {
            }

            if (scan._firstIndex > 0)
            {
                sound = (state.End, scan._firstIndex, nextSeed is { } seed ? scan.EndBefore(seed) : scan.EndOfLog());
                return true;
            }
        }

        sound = default;
        return false;
    }

    private bool TryStep()
    {
        if (!WalFrame.TryRead(_bytes, _offset, out var frame) || !BelongsHere(frame.Type))
        {
            return false;
        }

        var crc = frame.Type == WalRecordType.Crc ? frame.Crc : Crc32C.Update(_crc, frame.Data);
        if (crc != frame.Crc || !Means(frame, crc))
        {
            return false;
        }

        _crc = crc;
        _offset = frame.End;
        _records++;
        return true;
    }

    // Checksum and metadata open a segment, and occur nowhere else.
    private readonly bool BelongsHere(WalRecordType type) => type switch
    {
        WalRecordType.Crc => _records == 0,
        WalRecordType.Metadata => _records == 1,
        _ => _records >= 2,
    };

    private bool Means(in WalFrame frame, uint crc)
    {
        switch (frame.Type)
        {
            case WalRecordType.Metadata:
                return WalPayload.TryReadMetadata(frame.Data, out _);
            case WalRecordType.Snapshot:
                return WalPayload.TryReadMark(frame.Data, out _);
            case WalRecordType.Entry:
                return IsEntry(frame);
            case WalRecordType.State:
                return WalPayload.TryReadState(frame.Data, out _, out var batch) && EndBatch(batch, frame, crc);
            default:
                return true;
        }
    }

    // An empty ConfChangeV2 leaves a joint configuration. etcd proposes none, but a state of term 2 with one flipped bit in its type looks like one; a state of
    // Cairn's does not, because it names its batch.
    private bool IsEntry(in WalFrame frame)
    {
        if (!WalPayload.TryReadEntry(frame.Data, out var type, out _, out var index, out var payload)
            || (_byEtcd && type == EntryType.ConfChangeV2 && payload == frame.Data.Length))
        {
            return false;
        }

        _firstIndex = _firstIndex == 0 ? index : _firstIndex;
        _lastIndex = index;
        return true;
    }

    private bool EndBatch(long batch, in WalFrame state, uint crc)
    {
        if (batch == WalPayload.NoBatch)
        {
            _byEtcd = true;
            return true;
        }

        // What lies between two batches of Cairn's was written, and synced, by etcd.
        var crcBefore = _batchEndCrc;
        if (_byEtcd ? batch < _batchEnd || batch > state.Offset || !TryFindCrcAt((int)batch, out crcBefore) : batch != _batchEnd)
        {
            return false;
        }

        _batchEndBefore = (int)batch;
        _batchEndBeforeCrc = crcBefore;
        _batchEnd = state.End;
        _batchEndCrc = crc;
        _byEtcd = false;
        return true;
    }

    private readonly bool TryFindCrcAt(int end, out uint crc)
    {
        crc = 0;
        var offset = 0;
        for (; offset < end && WalFrame.TryRead(_bytes, offset, out var frame); offset = frame.End)
        {
            crc = frame.Crc;
        }

        return offset == end;
    }

    // A segment that another follows was left either full, with everything synced, or after a failed write: then the next one continues the chain from the last
    // batch that succeeded, and of the one that failed anything may be left behind it, up to the whole.
    private readonly SegmentEnd EndBefore(uint seed)
    {
        if (_crc == seed)
        {
            return new SegmentEnd(_offset, _crc, _offset, null);
        }

        if (_batchEnd > 0 && _batchEndCrc == seed)
        {
            return new SegmentEnd(_batchEnd, seed, _batchEnd, null);
        }

        if (_batchEndBefore > 0 && _batchEndBeforeCrc == seed)
        {
            return new SegmentEnd(_batchEndBefore, seed, _batchEndBefore, null);
        }

        throw Rot(string.Create(CultureInfo.InvariantCulture, $"no valid record; the next segment continues from checksum {seed:x8}, this one is at {_crc:x8}"));
    }

    private readonly SegmentEnd EndOfLog()
    {
        if (_records < HeadRecords)
        {
            throw Rot("the head of the segment is damaged");
        }

        var clean = _bytes[_offset..].IndexOfAnyExcept((byte)0) < 0;
        if (!clean)
        {
            var later = new LaterRecords(_bytes, _offset, _batchEnd, _byEtcd);
            if (later.ProveSync() is { } proof)
            {
                throw Rot($"no valid record, though {proof}");
            }
        }

        if (_byEtcd)
        {
            return EndAfterEtcd(clean);
        }

        return _offset == _batchEnd && clean
            ? new SegmentEnd(_offset, _crc, _batchEndBefore, null)
            : new SegmentEnd(_batchEnd, _batchEndCrc, _batchEndBefore, clean ? "a batch without its end" : "a batch with a broken record");
    }

    // etcd's rule. A length of zero ends its log, whatever lies behind.
    private readonly SegmentEnd EndAfterEtcd(bool clean)
    {
        if (clean)
        {
            return new SegmentEnd(_offset, _crc, _batchEnd, null);
        }

        WalFrame.TryReadLength(_bytes, _offset, out var recordBytes, out var end);
        if (recordBytes == 0)
        {
            return new SegmentEnd(_offset, _crc, _batchEnd, "bytes behind the end");
        }

        if (end > _bytes.Length || _bytes.Length - _offset < WalFrame.LengthFieldBytes)
        {
            return new SegmentEnd(_offset, _crc, _batchEnd, "a record longer than the file");
        }

        return HasZeroSector(_offset + WalFrame.LengthFieldBytes, (int)end)
            ? new SegmentEnd(_offset, _crc, _batchEnd, "a record with a sector of zeros")
            : throw Rot("broken record");
    }

    private readonly bool HasZeroSector(int begin, int end)
    {
        while (begin < end)
        {
            var sectorEnd = Math.Min(end, (begin / SectorBytes * SectorBytes) + SectorBytes);
            if (_bytes[begin..sectorEnd].IndexOfAnyExcept((byte)0) < 0)
            {
                return true;
            }

            begin = sectorEnd;
        }

        return false;
    }

    private readonly CorruptionException Rot(string what)
    {
        var known = _lastIndex == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"; the last entry before it is {_lastIndex}");
        return new CorruptionException(_path, _offset, what + known);
    }
}
