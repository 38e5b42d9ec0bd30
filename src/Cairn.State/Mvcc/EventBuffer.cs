namespace Cairn.State.Mvcc;

/// <summary>The events of the entries applied since the last publication, in revision order.</summary>
/// <remarks>An array that was handed out is never written again below what was handed out, so slices of it may be kept. Owned by the apply loop.</remarks>
internal sealed class EventBuffer
{
    private const int RoomAtLeast = 16;

    private StateEvent[] _events = new StateEvent[RoomAtLeast];

    public int Count { get; private set; }

    public void Add(in StateEvent change)
    {
        Invariant.Holds(Count == 0 || _events[Count - 1].Revision < change.Revision);
        if (Count == _events.Length)
        {
            Array.Resize(ref _events, Count * 2);
        }

        _events[Count++] = change;
    }

    public ReadOnlyMemory<StateEvent> Since(int start) => _events.AsMemory(start, Count - start);

    /// <summary>Hands over all events and starts anew.</summary>
    public ReadOnlyMemory<StateEvent> Take()
    {
        var taken = _events.AsMemory(0, Count);
        if (Count > 0)
        {
            _events = new StateEvent[Math.Max(RoomAtLeast, Count)];
            Count = 0;
        }

        return taken;
    }
}
