namespace Cairn.Storage.Revisions;

/// <summary>The key space on disk: append-only segments of checksummed records, in the order of their revisions.</summary>
/// <remarks>
/// <para>
/// Owner: the apply loop, the only one that calls the members below unless they say otherwise. Three kinds of work run beside it, each on one thread at a time:
/// the flusher (<see cref="FlushAsync"/>, <see cref="SyncAsync"/>), the steps of a <see cref="CleaningRound"/>, and any number of readers (<see cref="View"/>).
/// </para>
/// <para>
/// A record's way: <see cref="Append"/> puts it into the tail, in memory, where readers find it at once. The flusher moves it to the file. A manifest that names
/// its segment, with an end behind it, makes it durable; what lies behind the ends of the manifest is cut off at the next start, and comes again from the
/// write-ahead log. No call of the owner's waits for the disk.
/// </para>
/// <para>
/// A segment's way: appended to, sealed, emptied by the cleaner once enough of it is dead, left out of the next capture, and deleted by the manifest store when
/// neither of the two newest manifests names it.
/// </para>
/// </remarks>
public sealed class RevisionLog : IDisposable
{
    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly RevisionLogOptions _options;
    private readonly TailMemory _memory;
    private readonly SegmentTable _segments = new();
    private readonly SegmentFlusher _flusher;
    private SegmentAccount? _active;
    private CleaningRound? _cleaning;
    private Revision _last = new(long.MinValue, 0);
    private uint _nextId;

    private RevisionLog(IDisk disk, string directory, RevisionLogOptions options, uint firstId)
    {
        options.AssertInvariants();
        _disk = disk;
        _directory = directory;
        _options = options;
        _memory = new TailMemory(options.ChunkBytes, options.TailBytes);
        _flusher = new SegmentFlusher(disk, directory, unsyncedBytesMax: options.TailBytes / 4);
        _nextId = firstId;
    }

    /// <summary>The segments now. Any thread.</summary>
    public RevisionLogView View => _segments.View;

    /// <summary>Bytes of all segments that count: what the key space takes on disk, dead records included. Any thread.</summary>
    public long TotalBytes => _segments.TotalBytes;

    /// <summary>Bytes of records, headers included, that the index needs. Any thread.</summary>
    public long LiveBytes => _segments.LiveBytes;

    /// <summary>What <see cref="TailRoomBytes"/> is while the disk has everything. Any thread.</summary>
    public long TailRoomBytesMax => _options.TailBytes;

    /// <summary>
    /// Bytes that may still be appended before the disk must catch up. At or below zero the caller should apply no further entry until <see cref="FlushAsync"/>
    /// returned; nothing breaks if it does, but memory grows. Any thread.
    /// </summary>
    public long TailRoomBytes => _options.TailBytes - _flusher.UnsyncedBytes;

    /// <summary>Opens the log as a manifest describes it, and cuts off what that manifest does not cover.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store; must exist.</param>
    /// <param name="ends">What the manifest names; <see cref="RevisionLogEnds.Empty"/> for a fresh store.</param>
    /// <param name="options">Sizes.</param>
    /// <returns>The log.</returns>
    /// <exception cref="CorruptionException">A file is not the segment that the manifest names.</exception>
    public static RevisionLog Open(IDisk disk, string directory, RevisionLogEnds ends, RevisionLogOptions options)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentNullException.ThrowIfNull(ends);
        ArgumentNullException.ThrowIfNull(options);

        // Ids of files that a crash left behind are not used again: a block of such a file must not be taken for one of a new segment.
        var used = disk.List(directory).Select(name => SegmentFormat.TryParse(name, out var id) ? id : 0);
        var log = new RevisionLog(disk, directory, options, used.Append(0u).Concat(ends.Segments.Select(segment => segment.Id)).Max() + 1);
        foreach (var state in ends.Segments)
        {
            log.OpenSegment(state, isLast: state.Id == ends.Segments[^1].Id);
        }

        log._segments.Show();
        log.AssertInvariants();
        return log;
    }

    /// <summary>Sets numbers aside for segments that somebody else writes into the same directory: a received snapshot.</summary>
    /// <param name="count">How many.</param>
    /// <returns>The first of them.</returns>
    public uint ReserveIds(uint count)
    {
        var first = _nextId;
        _nextId = checked(_nextId + count);
        return first;
    }

    /// <summary>Starts an empty log beside another one, in the same directory.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store; must exist.</param>
    /// <param name="firstId">First of the numbers that <see cref="ReserveIds"/> of the other log set aside.</param>
    /// <param name="options">Sizes.</param>
    /// <returns>The log.</returns>
    public static RevisionLog Begin(IDisk disk, string directory, uint firstId, RevisionLogOptions options)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentNullException.ThrowIfNull(options);
        return new RevisionLog(disk, directory, options, firstId);
    }

    /// <summary>Takes over what was written beside this log, in numbers of <see cref="ReserveIds"/>. None of it counts as live before <see cref="MarkLive"/>.</summary>
    /// <param name="ends">Where the other log ended; durable, and its files closed.</param>
    /// <param name="replacesAll">Whether nothing that was here before is needed any more. Who holds a view goes on reading it.</param>
    /// <returns>What was taken over, alone.</returns>
    /// <exception cref="CorruptionException">A file is not the segment that was written.</exception>
    /// <remarks>The flusher and the cleaner must not be running.</remarks>
    public RevisionLogView Adopt(RevisionLogEnds ends, bool replacesAll)
    {
        ArgumentNullException.ThrowIfNull(ends);
        Invariant.Holds(_cleaning is null);
        SealActive();
        _active = null;
        foreach (var account in replacesAll ? _segments.All.ToList() : [])
        {
            Abandon(account);
        }

        _last = replacesAll ? new Revision(long.MinValue, 0) : _last;
        foreach (var state in ends.Segments)
        {
            OpenSegment(state with { LiveBytes = 0, Sealed = true }, isLast: false);
            _segments[state.Id].ManifestEnd = 0;
        }

        _segments.Show();
        return new RevisionLogView(ends.Segments.Select(state => _segments[state.Id].Segment));
    }

    /// <summary>Appends a record, in memory. It counts as live until <see cref="MarkDead"/>.</summary>
    /// <param name="kind">What it says.</param>
    /// <param name="revision">Above that of the record before.</param>
    /// <param name="payload">The row; copied.</param>
    /// <returns>Where it lies; readable at once through the <see cref="View"/> of now.</returns>
    public RecordPlace Append(RecordKind kind, Revision revision, ReadOnlySpan<byte> payload)
    {
        Invariant.Holds(revision > _last, $"revision {revision} after {_last}");
        Invariant.Holds(payload.Length <= RecordFormat.PayloadBytesMax);
        var recordBytes = (long)RecordFormat.HeaderBytes + payload.Length;
        if (_active is null || !_active.Segment.HasRoom(recordBytes))
        {
            SealActive();
            _active = BeginSegment(recordBytes);
        }

        _last = revision;
        return AppendTo(_active, kind, revision, payload);
    }

    /// <summary>Notes that the index does not need a record any more.</summary>
    /// <param name="place">Where it lies, as the index has it now.</param>
    public void MarkDead(RecordPlace place) => _segments.Count(_segments[place.Segment], -RecordFormat.BytesOf(place));

    /// <summary>Forgets what is live, before an index that was rebuilt counts it again.</summary>
    public void ClearLive()
    {
        foreach (var account in _segments.All)
        {
            _segments.Count(account, -account.LiveBytes);
        }
    }

    /// <summary>Notes, after <see cref="ClearLive"/>, that the index needs a record.</summary>
    /// <param name="place">Where it lies, as the index has it.</param>
    public void MarkLive(RecordPlace place) => _segments.Count(_segments[place.Segment], RecordFormat.BytesOf(place));

    /// <summary>Says how far the log reaches now. Cheap.</summary>
    /// <returns>What a manifest names, after <see cref="SyncAsync"/> made it durable.</returns>
    public RevisionLogEnds Capture() =>
        new([.. _segments.All.Where(account => account.End > SegmentFormat.HeaderBytes).Select(account => account.Capture())]);

    /// <summary>Moves what was appended so far from the tail to the files. For the flusher; call it from a loop that may wait for the disk.</summary>
    /// <returns>Completes when written. Syncs only as much as it must so that memory can be used again.</returns>
    /// <exception cref="IOException">The disk failed: have the owner call <see cref="Salvage"/>, then go on.</exception>
    public ValueTask FlushAsync() => _flusher.FlushAsync();

    /// <summary>Makes a capture durable: files and their names. For the flusher.</summary>
    /// <param name="ends">What a manifest is going to name.</param>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The disk failed: no manifest may name this capture. Have the owner call <see cref="Salvage"/>, then capture anew.</exception>
    public ValueTask SyncAsync(RevisionLogEnds ends) => _flusher.SyncAsync(ends);

    /// <summary>Notes that a manifest with this capture is durable: what it names in full may be cleaned.</summary>
    /// <param name="ends">The capture.</param>
    public void ManifestWritten(RevisionLogEnds ends)
    {
        ArgumentNullException.ThrowIfNull(ends);
        foreach (var state in ends.Segments)
        {
            if (_segments.Find(state.Id) is { } account)
            {
                account.ManifestEnd = state.End;
            }
        }
    }

    /// <summary>
    /// After the disk failed, moves the records that exist in memory only into new segments; no file whose sync failed is relied upon again beyond what was
    /// synced before. Memory to memory, at most the tail. The flusher must not be running.
    /// </summary>
    /// <param name="lookup">Asks the owner of the index, as it is now.</param>
    /// <param name="mover">Tells the owner the new place.</param>
    /// <remarks>Source: docs/decisions/0004.</remarks>
    public void Salvage(RecordLookup lookup, RecordMover mover)
    {
        ArgumentNullException.ThrowIfNull(lookup);
        ArgumentNullException.ThrowIfNull(mover);
        foreach (var failed in _segments.All.Where(account => account.Segment.Failed).ToList())
        {
            if (failed == _active)
            {
                SealActive();
                _active = null;
            }

            SalvageSegment(failed, lookup, mover);
        }

        _segments.Show();
    }

    /// <summary>Names the segment of a file.</summary>
    /// <param name="path">The file, as an error names it.</param>
    /// <param name="segment">Its number.</param>
    /// <returns>False if it is no segment.</returns>
    public static bool TryIdentify(string path, out uint segment) => SegmentFormat.TryParse(Path.GetFileName(path), out segment);

    /// <summary>Ends a segment that is still appended to, so that all of it can be looked at.</summary>
    /// <param name="segment">Its number.</param>
    public void Seal(uint segment)
    {
        if (_active?.Segment.Id == segment)
        {
            SealActive();
            _active = null;
        }
    }

    /// <summary>
    /// Gives records of a damaged segment a new place. With all that was needed of it, the segment goes; otherwise it stays, and the cleaner leaves it alone.
    /// In memory, as an append. Neither the flusher nor the cleaner may be running.
    /// </summary>
    /// <param name="segment">Number of the segment; sealed.</param>
    /// <param name="records">By ascending revision.</param>
    /// <param name="mover">Tells the owner of the index the new places.</param>
    /// <returns>Whether all that was needed has a new place.</returns>
    public bool Rewrite(uint segment, IReadOnlyList<RescuedRecord> records, RecordMover mover)
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentNullException.ThrowIfNull(mover);
        Invariant.Holds(_cleaning is null);
        if (_segments.Find(segment) is not { } damaged)
        {
            return true;
        }

        Invariant.Holds(damaged.Sealed);
        if (records.Count > 0)
        {
            var rescue = BeginSegment(records.Sum(static record => RecordFormat.BytesOf(record.Place)));
            foreach (var record in records)
            {
                var to = AppendTo(rescue, record.Kind, record.Revision, record.Payload.Span);
                _segments.Count(rescue, -RecordFormat.BytesOf(to));
                TakeOver(new RecordMove(record.Kind, record.Revision, record.Place, to, record.Handle), mover);
            }

            rescue.Sealed = true;
            rescue.Segment.Seal();
        }

        damaged.IsDamaged = true;
        if (damaged.LiveBytes == 0)
        {
            Abandon(damaged);
        }

        _segments.Show();
        return damaged.LiveBytes == 0;
    }

    /// <summary>Picks segments to empty, the emptiest first. One round at a time.</summary>
    /// <param name="policy">When a segment is worth it.</param>
    /// <returns>The round, whose steps may run elsewhere; null if there is nothing to do or a round is under way.</returns>
    public CleaningRound? BeginCleaning(CleaningPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        if (_cleaning is not null)
        {
            return null;
        }

        var victims = VictimChoice.Choose(_segments.All, policy, _options.SegmentBytes);
        if (victims.Count == 0)
        {
            return null;
        }

        var segment = Segment.OfFile(_directory, _nextId++, file: null, SegmentFormat.HeaderBytes, RevisionRange.Empty);
        var output = new SegmentAccount(segment) { End = SegmentFormat.HeaderBytes, Sealed = true };
        _segments.Add(output);
        _segments.Show();
        _cleaning = new CleaningRound(_disk, _directory, victims, output);
        return _cleaning;
    }

    /// <summary>Takes over the moves of a step. After the last one the emptied segments are part of no view and of no capture any more.</summary>
    /// <param name="step">A step of the round under way; each once, in order.</param>
    /// <param name="mover">Tells the owner of the index the new places.</param>
    public void Complete(CleaningStep step, RecordMover mover)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(mover);
        Invariant.Holds(step.Round == _cleaning);
        var output = step.Round.Output;
        _segments.SetEnd(output, step.OutputEnd);
        foreach (var move in step.Moves)
        {
            TakeOver(move, mover);
        }

        if (step.IsLast)
        {
            EndCleaning(step.Round);
        }
    }

    /// <summary>Ends the round under way after a failure of the disk. What was moved stays moved; what was not stays where it is.</summary>
    public void AbandonCleaning()
    {
        Invariant.Holds(_cleaning is not null);
        DropIfEmpty(_cleaning.Output);
        _cleaning = null;
        _segments.Show();
    }

    /// <summary>Closes the files. Nobody may append, flush, clean or read any more.</summary>
    public void Dispose()
    {
        foreach (var account in _segments.All)
        {
            account.Segment.File?.Dispose();
        }
    }

    /// <summary>Checks what must always hold; walks over all segments.</summary>
    public void AssertInvariants()
    {
        _segments.AssertInvariants();
        Invariant.Holds(_active is null || (!_active.Sealed && _segments.All.Count(account => !account.Sealed) == 1));
    }

    private void OpenSegment(SegmentState state, bool isLast)
    {
        var file = SegmentFormat.OpenCut(_disk, _directory, state);
        var isOpen = isLast && !state.Sealed;
        var segment = isOpen
            ? Segment.Continue(_directory, state, file, _options)
            : Segment.OfFile(_directory, state.Id, file, state.End, state.Revisions);
        var account = new SegmentAccount(segment) { End = state.End, LiveBytes = state.LiveBytes, ManifestEnd = state.End, Sealed = !isOpen };
        _segments.Add(account);
        if (isOpen)
        {
            _active = account;
            _flusher.Add(segment);
        }

        if (state.Revisions.LastMain > _last.Main)
        {
            _last = new Revision(state.Revisions.LastMain, int.MaxValue);
        }
    }

    private void Abandon(SegmentAccount account)
    {
        _memory.Abandon(account.Segment);
        _flusher.Remove(account.Segment);
        _segments.Remove(account);
        if (account.ManifestEnd == 0)
        {
            account.Segment.DeleteUnnamed(_disk);
        }
    }

    private RecordPlace AppendTo(SegmentAccount account, RecordKind kind, Revision revision, ReadOnlySpan<byte> payload)
    {
        var offset = account.Segment.End;
        var place = new RecordPlace(account.Segment.Id, (uint)offset, payload.Length);
        Span<byte> header = stackalloc byte[RecordFormat.HeaderBytes];
        RecordFormat.Write(header, place, kind, revision, payload);
        account.Segment.Append(header, _memory);
        account.Segment.Append(payload, _memory);
        account.Segment.Publish(revision, offset);
        var recordBytes = RecordFormat.BytesOf(place);
        _segments.SetEnd(account, offset + recordBytes);
        _segments.Count(account, recordBytes);
        return place;
    }

    private SegmentAccount BeginSegment(long firstRecordBytes)
    {
        var segment = Segment.Begin(_directory, _nextId++, _options, firstRecordBytes, _memory);
        var account = new SegmentAccount(segment) { End = segment.End };
        _segments.Add(account);
        _flusher.Add(segment);
        _segments.Show();
        return account;
    }

    private void SealActive()
    {
        if (_active is not null)
        {
            _active.Sealed = true;
            _active.Segment.Seal();
        }
    }

    private void SalvageSegment(SegmentAccount failed, RecordLookup lookup, RecordMover mover)
    {
        var segment = failed.Segment;
        var from = Math.Max(segment.Synced, SegmentFormat.HeaderBytes);
        SegmentAccount? rescue = null;
        var cursor = new SegmentCursor(segment, segment.End);
        for (var more = cursor.MoveAt(from); more; more = cursor.MoveNext())
        {
            if (lookup(cursor.Kind, cursor.Revision, cursor.Place, cursor.Payload) is { } handle)
            {
                rescue ??= BeginSegment(segment.End - from);
                var to = AppendTo(rescue, cursor.Kind, cursor.Revision, cursor.Payload);
                _segments.Count(rescue, -RecordFormat.BytesOf(to));
                TakeOver(new RecordMove(cursor.Kind, cursor.Revision, cursor.Place, to, handle), mover);
            }
        }

        if (rescue is not null)
        {
            rescue.Sealed = true;
            rescue.Segment.Seal();
        }

        _memory.Abandon(segment);
        _flusher.Remove(segment);
        Replace(failed, from);
    }

    // What was synced before the failure stays; nobody who holds an older view loses the rest, which is in memory.
    private void Replace(SegmentAccount failed, long end)
    {
        var segment = failed.Segment;
        _segments.Remove(failed);
        if (end <= SegmentFormat.HeaderBytes)
        {
            segment.DeleteUnnamed(_disk);
            return;
        }

        _segments.Add(new SegmentAccount(Segment.OfFile(_directory, segment.Id, segment.File, end, segment.Revisions))
        {
            End = end,
            LiveBytes = failed.LiveBytes,
            ManifestEnd = failed.ManifestEnd,
            Sealed = true,
        });
    }

    private void TakeOver(in RecordMove move, RecordMover mover)
    {
        if (mover(move))
        {
            _segments.Count(_segments[move.From.Segment], -RecordFormat.BytesOf(move.From));
            _segments.Count(_segments[move.To.Segment], RecordFormat.BytesOf(move.To));
        }
    }

    private void EndCleaning(CleaningRound round)
    {
        foreach (var victim in round.Victims)
        {
            // A record that the index needs and the cleaner did not copy would be lost with its segment.
            Invariant.Holds(victim.LiveBytes == 0, $"{victim.Segment.Path} still has {victim.LiveBytes} live bytes");
            _segments.Remove(victim);
        }

        DropIfEmpty(round.Output);
        _cleaning = null;
        _segments.Show();
        AssertInvariants();
    }

    private void DropIfEmpty(SegmentAccount output)
    {
        if (output.End <= SegmentFormat.HeaderBytes)
        {
            _segments.Remove(output);
            output.Segment.DeleteUnnamed(_disk);
        }
    }
}
