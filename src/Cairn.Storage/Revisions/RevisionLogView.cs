using System.Buffers;

namespace Cairn.Storage.Revisions;

/// <summary>The segments of the log at one moment: where readers look up places.</summary>
/// <remarks>
/// <para>
/// Immutable, any thread, no lock. Keep one beside each index that holds places: the places of that index stay readable through it, even when the cleaner has
/// moved the records and their segment is deleted. There is a new one only when the set of segments changes, not for each append.
/// </para>
/// <para>Needs no disposal: a deleted segment's room is free when the last view of it is collected.</para>
/// </remarks>
public sealed class RevisionLogView
{
    // Records up to this size are read header and all by one call, and then copied; above, the second call costs less than the copy.
    private const int CopiedBytesMax = 4096;

    private readonly uint[] _ids;
    private readonly Segment[] _segments;

    internal RevisionLogView(IEnumerable<Segment> segments)
    {
        _segments = [.. segments];
        _ids = [.. _segments.Select(segment => segment.Id)];
    }

    /// <summary>Reads a record's payload.</summary>
    /// <param name="place">Where the index says it is.</param>
    /// <param name="destination">At least the place's length.</param>
    /// <returns>Bytes of the payload.</returns>
    /// <exception cref="CorruptionException">What lies there is not the record that was written.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public int Read(RecordPlace place, Span<byte> destination)
    {
        var segment = Find(place.Segment);
        var total = RecordFormat.BytesOf(place);
        Invariant.Holds(place.Offset + total <= segment.End, $"{place} ends after {segment.End}");
        if (total <= CopiedBytesMax)
        {
            Span<byte> record = stackalloc byte[(int)total];
            segment.Read(place.Offset, record);
            RecordFormat.Verify(segment.Path, place, record[..RecordFormat.HeaderBytes], record[RecordFormat.HeaderBytes..]);
            record[RecordFormat.HeaderBytes..].CopyTo(destination);
            return place.Length;
        }

        Span<byte> header = stackalloc byte[RecordFormat.HeaderBytes];
        segment.Read(place.Offset, header);
        segment.Read(place.Offset + RecordFormat.HeaderBytes, destination[..place.Length]);
        RecordFormat.Verify(segment.Path, place, header, destination[..place.Length]);
        return place.Length;
    }

    /// <summary>Reads a record's payload to the end of a buffer.</summary>
    /// <param name="place">Where the index says it is.</param>
    /// <param name="writer">Receives <see cref="RecordPlace.Length"/> bytes, or nothing if this throws.</param>
    /// <exception cref="CorruptionException">What lies there is not the record that was written.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Read(RecordPlace place, IBufferWriter<byte> writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Advance(Read(place, writer.GetSpan(place.Length)));
    }

    /// <summary>Reads history from a revision on.</summary>
    /// <param name="from">First revision to visit.</param>
    /// <param name="throughMain">Last transaction to visit: that of the read view that the caller works for, so that no half-applied one is seen.</param>
    /// <returns>A reader before the first record.</returns>
    public RevisionLogReader ReadFrom(Revision from, long throughMain) => new(new MergeCursor(_segments, from, throughMain));

    /// <summary>As <see cref="ReadFrom"/>, where damage of what lies before the first revision does not matter.</summary>
    /// <param name="from">First revision to visit.</param>
    /// <param name="throughMain">Last transaction to visit; <see cref="FindSound"/> says up to where there is no damage.</param>
    /// <returns>A reader before the first record.</returns>
    public RevisionLogReader ReadSound(Revision from, long throughMain) => new(new MergeCursor(_segments, from, throughMain, isLenient: true));

    /// <summary>Finds out up to where all records verify. Reads every segment that may hold some of them.</summary>
    /// <param name="fromMain">First transaction that matters.</param>
    /// <param name="throughMain">Last transaction that matters.</param>
    /// <returns>The last transaction that is whole, with all before it; and the damage behind it, null if there is none.</returns>
    public (long ThroughMain, CorruptionException? Damage) FindSound(long fromMain, long throughMain)
    {
        (long ThroughMain, CorruptionException? Damage) sound = (throughMain, null);
        foreach (var segment in _segments.Where(segment => segment.Revisions.LastMain >= fromMain))
        {
            if (FindDamage(segment, fromMain) is var (through, damage) && through < sound.ThroughMain)
            {
                sound = (through, damage);
            }
        }

        return sound;
    }

    /// <summary>Finds the first damage of a segment that may be of a transaction that matters: what is lost lies between the records around it.</summary>
    private static (long ThroughMain, CorruptionException Damage)? FindDamage(Segment segment, long fromMain)
    {
        var cursor = new SegmentCursor(segment, segment.End);
        for (var last = fromMain; ; last = Math.Max(cursor.Revision.Main, fromMain))
        {
            var isMore = cursor.MoveNextSound(out var damage);
            if (damage is not null && !(isMore && cursor.Revision.Main < fromMain))
            {
                // The record before may be of the same transaction.
                return (last - 1, damage);
            }

            if (!isMore)
            {
                return null;
            }
        }
    }

    /// <summary>Finds the next segment.</summary>
    /// <param name="id">A number; 0 for the beginning.</param>
    /// <returns>The first segment with a higher one; null if there is none.</returns>
    internal Segment? FindAfter(uint id) => Array.Find(_segments, segment => segment.Id > id);

    /// <summary>Finds a segment that must be there.</summary>
    /// <param name="id">Its number.</param>
    /// <returns>The segment.</returns>
    internal Segment Find(uint id)
    {
        // The newest segments are asked for most.
        var last = _ids.Length - 1;
        var index = last >= 0 && _ids[last] == id ? last : Array.BinarySearch(_ids, id);
        Invariant.Holds(index >= 0, $"segment {id} is not in this view");
        return _segments[index];
    }
}
