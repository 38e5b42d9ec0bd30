namespace Cairn.Raft.Progress;

/// <summary>The append messages that were sent and not yet acknowledged: a ring, bounded by count and by bytes.</summary>
/// <remarks>
/// The byte limit is soft: the message that crosses it is still let through. The ring grows on demand up to the count.
/// Source: etcd-io/raft, tracker/inflights.go.
/// </remarks>
internal sealed class Inflights
{
    private readonly int _countMax;
    private readonly ulong _bytesMax;
    private (ulong Index, ulong Bytes)[] _ring = [];
    private int _start;
    private ulong _bytes;

    /// <param name="countMax">Most messages in flight, at least 1.</param>
    /// <param name="bytesMax">Bytes from which on nothing more is sent; 0 is no limit.</param>
    public Inflights(int countMax, ulong bytesMax)
    {
        _countMax = countMax;
        _bytesMax = bytesMax;
    }

    public int Count { get; private set; }

    public bool IsFull => Count == _countMax || (_bytesMax != 0 && _bytes >= _bytesMax);

    /// <summary>Notes a message that ends at <paramref name="index"/>; only when not full, and with ascending indexes.</summary>
    public void Add(ulong index, ulong bytes)
    {
        Invariant.Holds(!IsFull);
        var place = PlaceOf(Count);
        if (place >= _ring.Length)
        {
            Grow();
        }

        _ring[place] = (index, bytes);
        Count++;
        _bytes += bytes;
    }

    /// <summary>Forgets the messages that end at or before <paramref name="index"/>.</summary>
    public void FreeUpTo(ulong index)
    {
        var freed = 0;
        while (freed < Count && _ring[PlaceOf(freed)].Index <= index)
        {
            _bytes -= _ring[PlaceOf(freed)].Bytes;
            freed++;
        }

        _start = freed == Count ? 0 : PlaceOf(freed);
        Count -= freed;
        Invariant.Holds(Count > 0 || _bytes == 0);
    }

    public void Clear()
    {
        _start = 0;
        Count = 0;
        _bytes = 0;
    }

    private int PlaceOf(int ordinal)
    {
        var place = (long)_start + ordinal;
        return (int)(place >= _countMax ? place - _countMax : place);
    }

    private void Grow()
    {
        var larger = (int)Math.Min(Math.Max(_ring.Length * 2L, 1), _countMax);
        Array.Resize(ref _ring, larger);
    }
}
