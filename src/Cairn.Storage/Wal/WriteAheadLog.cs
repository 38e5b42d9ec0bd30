using System.Runtime.CompilerServices;
using Cairn.Raft;

namespace Cairn.Storage.Wal;

/// <summary>The replicated log on disk, in etcd's format: what this member promised, and must still know after a power cut.</summary>
/// <remarks>
/// <para>
/// Owned by the log's writer: one call at a time, the next only after the one before completed. A batch is one write and one sync, so that everything that
/// waits shares them; it ends with a state record, and nothing of the next batch reaches the disk before the sync of this one returned. On this rests what
/// opening a log after a crash concludes (<see cref="SegmentScan"/>).
/// </para>
/// <para>
/// A failed write or sync is not repeated on the same file (docs/decisions/0004): the segment is abandoned at the end of its last good batch, the batch is
/// written again, from memory, to a new segment whose checksum chain continues from there, and the call completes after the sync of that one. If that fails
/// too, the call fails; a later call begins with a new segment again, so a full disk heals when there is room. After a failed sync of the directory nobody
/// knows which names the disk has, but only that of the new segment is at stake, and nothing was promised on it: the next attempt gives the same name to
/// another file, and syncs the directory again. So it does when a segment that has its name cannot be opened.
/// </para>
/// <para>Segments are locked as etcd locks them, so that the two never have one log open at once.</para>
/// </remarks>
public sealed class WriteAheadLog : IDisposable, IAsyncDisposable
{
    // A segment with less room than this is left before the next batch needs to wait for it; most batches are far smaller.
    private const int RoomWantedMax = 1 << 20;

    // Checksum, metadata, a mark without members and a state take about 120.
    private const int HeadBytesMax = 256;

    private const int SegmentBytesMin = 4096;

    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly byte[] _metadata;
    private readonly SegmentPipeline _pipeline;
    private readonly List<LockedSegment> _segments;
    private readonly WalEncoder _encoder = new();
    private readonly long _roomWanted;

    private IDiskFile? _tail;
    private long _offset;
    private long _reserved;
    private uint _crc;
    private bool _tailFailed;
    private HardState _state;
    private bool _stateUnwritten;
    private Task? _cut;

    private WriteAheadLog(IDisk disk, string directory, WalMetadata metadata, WalOptions options, List<LockedSegment> segments)
    {
        Invariant.Holds(options.SegmentBytes >= SegmentBytesMin);
        _disk = disk;
        _directory = directory;
        _metadata = WalPayload.EncodeMetadata(metadata);
        _pipeline = new SegmentPipeline(disk, directory, options.SegmentBytes);
        _segments = segments;
        _roomWanted = Math.Min(RoomWantedMax, options.SegmentBytes / 16);
    }

    /// <summary>Last index of the log: of an entry, or of a marked snapshot that replaced what was there. 0 for an empty log.</summary>
    public ulong LastIndex { get; private set; }

    /// <summary>Bytes that were written since it was opened.</summary>
    public long WrittenBytes { get; private set; }

    /// <summary>Lowest index above which the log can still be opened; 0 while nothing was released.</summary>
    public ulong FirstIndex => _segments[0].Name.FirstIndex;

    /// <summary>Whether a directory holds a log.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">The directory; it need not exist.</param>
    /// <returns>True if there is at least one segment.</returns>
    public static bool Exists(IDisk disk, string directory) => WalReader.ListSegments(disk, directory).Count > 0;

    /// <summary>Makes a log. It exists, whole and durable, when this returned; before that, after any crash, either so or not at all.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Its directory; made if need be, must hold no log.</param>
    /// <param name="metadata">Whose log it is.</param>
    /// <param name="options">How it is laid out.</param>
    /// <returns>The log, empty.</returns>
    /// <exception cref="IOException">The disk failed, or has no room.</exception>
    public static async ValueTask<WriteAheadLog> CreateAsync(IDisk disk, string directory, WalMetadata metadata, WalOptions options)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentNullException.ThrowIfNull(directory);
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(options);
        Invariant.Holds(!Exists(disk, directory), $"{directory}");
        disk.CreateDirectory(directory);
        for (var parent = directory; parent.Length > 0;)
        {
            parent = parent[..Math.Max(parent.LastIndexOf('/'), 0)];
            await disk.SyncDirectoryAsync(parent);
        }

        var log = new WriteAheadLog(disk, directory, metadata, options, []);
        try
        {
            await log.BeginSegmentAsync(default, HeadBytesMax);
            log.AssertInvariants();
            return log;
        }
        catch
        {
            // The caller gets no log to dispose.
            await log.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a log, Cairn's or etcd's: reads what it holds, cuts off a torn tail, makes sure that all that was read is durable.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Its directory.</param>
    /// <param name="afterIndex">Entries up to this index are not needed: they are in the state that was loaded.</param>
    /// <param name="options">How new segments are laid out.</param>
    /// <param name="entriesBefore">How many entries up to that index are wanted all the same, if they are still there.</param>
    /// <param name="bytesBefore">For these no more segments are read than hold about so many bytes.</param>
    /// <returns>The log, ready to append, and what it holds.</returns>
    /// <exception cref="CorruptionException">Something that was promised is damaged or missing; says which file, where, and which index was the last good one.</exception>
    /// <exception cref="IOException">The disk failed, or another process has the log open (EAGAIN).</exception>
    public static async ValueTask<(WriteAheadLog Log, WalContents Contents)> OpenAsync(
        IDisk disk, string directory, ulong afterIndex, WalOptions options, ulong entriesBefore = 0, long bytesBefore = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(options);
        var reader = ReaderOf(disk, directory);
        var keptAfter = afterIndex - Math.Min(afterIndex, entriesBefore);
        var start = reader.FindStart(afterIndex, keptAfter, bytesBefore);
        var segments = new List<LockedSegment>();
        WriteAheadLog? log = null;
        try
        {
            for (var i = 0; i < reader.Names.Count; i++)
            {
                var name = reader.Names[i];
                segments.Add(new LockedSegment(name, i < start ? null : LockedSegment.Lock(disk, reader.PathOf(name))));
            }

            var replay = new WalReplay(keptAfter, reader.Names[start].FirstIndex) { NeededAfter = afterIndex, WantedBytesMax = bytesBefore };
            reader.ReadFrom(start, replay);
            Invariant.Holds(replay.Metadata is not null);
            log = new WriteAheadLog(disk, directory, replay.Metadata, options, segments);
            var repair = await log.ResumeAsync(reader, replay, options);
            return (log, replay.Finish(repair));
        }
        catch
        {
            // The caller gets no log to dispose; the locks must not stay.
            log?.Close();
            segments.ForEach(segment => segment.Held?.Dispose());
            throw;
        }
    }

    /// <summary>Reads what a log says of itself, without locking or repairing it.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Its directory.</param>
    /// <param name="isWanted">
    /// Which entries are kept in memory, asked of each in turn, superseded ones too; their bytes are valid only while it is asked. Null for none.
    /// </param>
    /// <returns>Metadata, last state and all marks, of as many segments as are there; the entries that are wanted.</returns>
    /// <exception cref="CorruptionException">Something that was promised is damaged.</exception>
    public static WalContents Inspect(IDisk disk, string directory, Predicate<Entry>? isWanted = null)
    {
        var reader = ReaderOf(disk, directory);
        var start = reader.FindOldest();
        var replay = new WalReplay(isWanted is null ? ulong.MaxValue : 0, reader.Names[start].FirstIndex, isWanted);
        try
        {
            reader.ReadFrom(start, replay);
            return replay.Finish(null);
        }
        finally
        {
            reader.Return();
        }
    }

    /// <summary>Reads what is sound of a damaged log, from the oldest segment on up to the first damage to what is needed. Changes nothing.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Its directory.</param>
    /// <param name="afterIndex">Entries up to this index are not needed.</param>
    /// <returns>It.</returns>
    public static SoundLog ReadSound(IDisk disk, string directory, ulong afterIndex)
    {
        var reader = ReaderOf(disk, directory);
        var start = reader.FindOldest();
        var replay = new WalReplay(afterIndex, reader.Names[start].FirstIndex);
        var isWhole = reader.ReadSound(start, replay, afterIndex);
        var entries = replay.Metadata is null ? [] : replay.Finish(null).Entries;
        return new SoundLog(replay.Metadata, entries is [var first, ..] && first.Index == afterIndex + 1 ? entries : [], replay.State, isWhole);
    }

    /// <summary>Appends a batch, and completes when it is durable.</summary>
    /// <param name="entries">
    /// Consecutive entries; the first may replace one that is there, and all behind it. Must stay unchanged until the task completes.
    /// </param>
    /// <param name="state">The hard state after the batch; the empty one means unchanged.</param>
    /// <param name="mustSync">
    /// False if only the commit index changed and there are no entries: the state then rides along with the next batch (or <see cref="FlushAsync"/>) and the
    /// call completes at once.
    /// </param>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The batch is not durable, and nothing may be promised. Nothing of it counts; the same or another batch may be tried later.</exception>
    public ValueTask AppendAsync(ReadOnlyMemory<Entry> entries, HardState state, bool mustSync)
    {
        CheckBatch(entries.Span, state);
        if (!entries.IsEmpty || mustSync)
        {
            var lastIndex = entries.IsEmpty ? LastIndex : entries.Span[^1].Index;
            return WriteBatchAsync(entries, null, state.IsEmpty ? _state : state, lastIndex);
        }

        if (!state.IsEmpty && state != _state)
        {
            _state = state;
            _stateUnwritten = true;
        }

        return default;
    }

    /// <summary>Makes a state durable that rode along so far; for a shutdown that leaves nothing behind.</summary>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The state is not durable.</exception>
    public ValueTask FlushAsync() => _stateUnwritten ? WriteBatchAsync(default, null, _state, LastIndex) : default;

    /// <summary>Records that a snapshot is durable elsewhere, and completes when the mark is.</summary>
    /// <param name="mark">
    /// The snapshot. If it lies beyond the last entry, or over an entry of another term, it came from a leader: what the log holds is superseded, and entries
    /// go on behind it.
    /// </param>
    /// <param name="state">The hard state from then on, durable with the mark; the empty one means unchanged.</param>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The mark is not durable.</exception>
    public ValueTask MarkSnapshotAsync(WalSnapshotMark mark, HardState state = default)
    {
        Invariant.Holds(mark.Index > 0 && mark.Term > 0 && mark.ConfState is not null);
        Invariant.Holds(state.IsEmpty || state.Term >= _state.Term, $"{state} {_state}");
        return WriteBatchAsync(default, WalPayload.EncodeMark(mark), state.IsEmpty ? _state : state, Math.Max(LastIndex, mark.Index));
    }

    /// <summary>Deletes the segments that nobody needs who has all entries up to an index in a durable state.</summary>
    /// <param name="upToIndex">The index; the log can still be opened after it.</param>
    /// <returns>Completes when the names are gone for good.</returns>
    /// <exception cref="IOException">The disk failed; what was not deleted is tried again by the next call.</exception>
    public async ValueTask ReleaseAsync(ulong upToIndex)
    {
        await SettleAsync();
        var kept = _segments.Count - 1;
        while (kept > 0 && _segments[kept].Name.FirstIndex > upToIndex)
        {
            kept--;
        }

        if (kept == 0)
        {
            return;
        }

        for (; kept > 0; kept--)
        {
            _disk.Delete(PathOf(_segments[0].Name));
            _segments[0].Held?.Dispose();
            _segments.RemoveAt(0);
        }

        await _disk.SyncDirectoryAsync(_directory);
        AssertInvariants();
    }

    /// <summary>Closes the log. A call under way must have completed; a state that rode along is dropped, which loses nothing that was promised.</summary>
    /// <returns>Completes when nothing of this log is under way any more, so that it can be opened again.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_cut is { } cut)
        {
            _cut = null;
            try
            {
                await cut;
            }
            catch (IOException)
            {
                // Nobody needs the next segment any more.
            }
        }

        await _pipeline.DisposeAsync();
        Close();
    }

    /// <summary>Closes the log without waiting for the preparation of its next segment; for a process that ends.</summary>
    public void Dispose() => _ = DisposeAsync().AsTask();

    private static WalReader ReaderOf(IDisk disk, string directory)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentNullException.ThrowIfNull(directory);
        var reader = new WalReader(disk, directory);
        return reader.Names.Count > 0 ? reader : throw new DiskException(directory, "open a log in", Errno.NotFound);
    }

    private async ValueTask<WalRepair?> ResumeAsync(WalReader reader, WalReplay replay, WalOptions options)
    {
        var end = reader.End;
        (_offset, _crc, _state, LastIndex) = (end.Offset, end.Crc, replay.State, replay.LastIndex);
        var tail = new TailRecovery(_disk, reader, _disk.Open(reader.PathOf(reader.Names[^1]), OpenIntent.Write));
        _tail = tail.File;
        await tail.RunAsync(options.SegmentBytes);
        _reserved = tail.Reserved;
        reader.GiveBackRoom();
        foreach (var leftover in _disk.List(_directory).Where(name => name.EndsWith(".tmp", StringComparison.Ordinal)))
        {
            _disk.Delete($"{_directory}/{leftover}");
        }

        await _disk.SyncDirectoryAsync(_directory);
        _pipeline.Begin();
        AssertInvariants();
        return tail.Repair;
    }

    private void CheckBatch(ReadOnlySpan<Entry> entries, HardState state)
    {
        Invariant.Holds(state.IsEmpty || state.Term >= _state.Term, $"{state} {_state}");
        var expected = LastIndex + 1;
        foreach (ref readonly var entry in entries)
        {
            Invariant.Holds(entry.Index == expected || (entry.Index < expected && expected == LastIndex + 1), $"{entry.Index} {expected} {LastIndex}");
            Invariant.Holds(entry.Term > 0);
            expected = entry.Index + 1;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteBatchAsync(ReadOnlyMemory<Entry> entries, byte[]? mark, HardState state, ulong lastIndex)
    {
        await SettleAsync();
        for (var again = false; ; again = true)
        {
            EncodeBatch(entries.Span, mark, state);
            if (_tailFailed || _offset + _encoder.Length > _reserved)
            {
                await BeginSegmentAsync(_state, HeadBytesMax + _encoder.Length);
                EncodeBatch(entries.Span, mark, state);
            }

            Invariant.Holds(_tail is not null && _offset + _encoder.Length <= _reserved);
            try
            {
                await _tail.WriteAndSyncAsync(_offset, _encoder.Batch);
                break;
            }
            catch (IOException)
            {
                _tailFailed = true;
                if (again)
                {
                    throw;
                }
            }
        }

        (_offset, _crc, _state, _stateUnwritten) = (_offset + _encoder.Length, _encoder.Crc, state, false);
        (LastIndex, WrittenBytes) = (lastIndex, WrittenBytes + _encoder.Length);
        if (_reserved - _offset < _roomWanted)
        {
            _cut = BeginSegmentAsync(_state, HeadBytesMax).AsTask();
        }
    }

    private void EncodeBatch(ReadOnlySpan<Entry> entries, byte[]? mark, HardState state)
    {
        _encoder.Begin(_crc);
        if (mark is not null)
        {
            _encoder.Append(WalRecordType.Snapshot, mark);
        }

        foreach (ref readonly var entry in entries)
        {
            _encoder.Append(entry);
        }

        _encoder.Append(state, _offset);
    }

    // Waits for a segment that was begun ahead of need.
    private async ValueTask SettleAsync()
    {
        if (_cut is { } cut)
        {
            _cut = null;
            try
            {
                await cut;
            }
            catch (IOException)
            {
                // The tail is still good while it has room, unless the new segment may have its name. A batch that cannot use it tries again, and reports.
            }
        }
    }

    // Writes the head of a new segment, gives it its name, and continues there. Until the name is durable nothing changes here.
    private async ValueTask BeginSegmentAsync(HardState state, long bytes)
    {
        var isBirth = _segments.Count == 0;
        var name = isBirth ? default : new SegmentName(_segments[^1].Name.Sequence + 1, LastIndex + 1);
        var path = PathOf(name);
        var prepared = await _pipeline.TakeAsync(bytes);
        try
        {
            EncodeHead(state, isBirth);
            await prepared.File.WriteAndSyncAsync(0, _encoder.Batch);
            _disk.Rename(prepared.Path, path);
        }
        catch
        {
            // A file that could not be written is not used again; the next attempt makes another one.
            prepared.Dispose();
            throw;
        }

        prepared.File.Dispose();
        var tail = await OpenNamedAsync(path, prepared.Lock);
        _segments.Add(new LockedSegment(name, prepared.Lock));
        GiveBackRoom();
        _tail?.Dispose();
        (_tail, _offset, _reserved, _crc, _tailFailed) = (tail, _encoder.Length, prepared.Bytes, _encoder.Crc, false);
        _pipeline.Begin();
        AssertInvariants();
    }

    private void EncodeHead(HardState state, bool isBirth)
    {
        _encoder.Begin(_crc);
        _encoder.AppendCrc();
        _encoder.Append(WalRecordType.Metadata, _metadata);
        if (isBirth)
        {
            _encoder.Append(WalRecordType.Snapshot, WalPayload.EncodeMark(default));
        }

        _encoder.Append(state, 0);
        Invariant.Holds(_encoder.Length <= HeadBytesMax);
    }

    // The name may be there: what cannot go on in the new segment must not go on in the old one either, whose end the new one has fixed. The next attempt takes
    // the name for another segment, which continues at the same end; whichever of the two a crash leaves, nothing is missing.
    private async ValueTask<IDiskFile> OpenNamedAsync(string path, IDisposable held)
    {
        try
        {
            await _disk.SyncDirectoryAsync(_directory);
            return _disk.Open(path, OpenIntent.Write);
        }
        catch (IOException)
        {
            held.Dispose();
            _tailFailed = true;
            throw;
        }
    }

    // Cuts a segment that is left at the end of its last good batch: room comes back, and after a failed write the remains of it go, which etcd would stumble
    // over and this log would not. So a failure here costs nothing. The handle is a fresh one, since the old one refuses to be written after a failure.
    private void GiveBackRoom()
    {
        if (_segments.Count < 2)
        {
            return;
        }

        WalReader.Cut(_disk, PathOf(_segments[^2].Name), _offset);
    }

    private void Close()
    {
        _tail?.Dispose();
        _segments.ForEach(segment => segment.Held?.Dispose());
    }

    private string PathOf(SegmentName name) => $"{_directory}/{name}";

    private void AssertInvariants()
    {
        Invariant.Holds(_segments.Count > 0 && _tail is not null);
        Invariant.Holds(_offset <= _reserved && _offset % WalFrame.Alignment == 0);
        for (var i = 1; i < _segments.Count; i++)
        {
            Invariant.Holds(_segments[i].Name.Sequence > _segments[i - 1].Name.Sequence);
        }
    }
}
