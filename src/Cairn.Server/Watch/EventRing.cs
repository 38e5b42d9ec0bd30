namespace Cairn.Server.Watch;

/// <summary>The changes of recent revisions: one writer appends, any number of readers follow at their own pace, nobody waits.</summary>
/// <remarks>
/// <para>
/// Revision r lives in slot r mod size. Example, size 4, after revisions 2 to 7: slots hold 4, 5, 6, 7. A reader that wants 3 finds 7 there: it fell off,
/// and reads the segments instead. A reader that wants 6 takes it without a lock; the object is never changed, only its slot is.
/// </para>
/// <para>Bounded in revisions (the size) and in bytes: the writer empties the oldest slots when rows take too much.</para>
/// </remarks>
internal sealed class EventRing
{
    private readonly RevisionEvents?[] _slots;
    private readonly long _bytesMax;
    private long _bytes;
    private long _oldest;
    private long _newest;

    /// <summary>Creates a ring that is empty at a revision.</summary>
    /// <param name="capacity">Most revisions; a power of two.</param>
    /// <param name="bytesMax">Most bytes of rows; the newest revision stays even if it is larger.</param>
    /// <param name="revision">Revision of the store now; the next one appended is one more.</param>
    public EventRing(int capacity, long bytesMax, long revision)
    {
        Invariant.Holds(capacity > 0 && (capacity & (capacity - 1)) == 0);
        Invariant.Holds(bytesMax > 0);
        _slots = new RevisionEvents?[capacity];
        _bytesMax = bytesMax;
        _newest = revision;
        _oldest = revision + 1;
    }

    /// <summary>Newest revision appended (or the revision at which the ring began).</summary>
    public long Newest => Volatile.Read(ref _newest);

    /// <summary>Oldest revision that is held, or the next one if none is.</summary>
    public long Oldest => Volatile.Read(ref _oldest);

    /// <summary>Bytes of the rows held.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Appends the changes of the next revision. The writer only.</summary>
    /// <param name="next">Its revision is one more than <see cref="Newest"/>.</param>
    public void Append(RevisionEvents next)
    {
        Invariant.Holds(next.Revision == _newest + 1, $"revision {next.Revision} after {_newest}");
        if (next.Revision - _oldest >= _slots.Length)
        {
            DropOldest();
        }

        _bytes += next.Bytes;
        while (_bytes > _bytesMax && _oldest < next.Revision)
        {
            DropOldest();
        }

        Volatile.Write(ref _slots[next.Revision & (_slots.Length - 1)], next);
        Volatile.Write(ref _newest, next.Revision);
    }

    /// <summary>Starts again at another revision, as after the state was replaced. The writer only.</summary>
    /// <param name="revision">Revision of the store now.</param>
    public void Restart(long revision)
    {
        while (_oldest <= _newest)
        {
            DropOldest();
        }

        Volatile.Write(ref _oldest, revision + 1);
        Volatile.Write(ref _newest, revision);
    }

    /// <summary>Finds the changes of a revision.</summary>
    /// <param name="revision">Not above <see cref="Newest"/>.</param>
    /// <returns>The changes; null if the revision fell off.</returns>
    public RevisionEvents? Find(long revision)
    {
        var found = Volatile.Read(ref _slots[revision & (_slots.Length - 1)]);
        return found is not null && found.Revision == revision ? found : null;
    }

    private void DropOldest()
    {
        ref var slot = ref _slots[_oldest & (_slots.Length - 1)];
        Invariant.Holds(slot is not null && slot.Revision == _oldest);
        _bytes -= slot.Bytes;
        Volatile.Write(ref slot, null);
        Volatile.Write(ref _oldest, _oldest + 1);
    }
}
