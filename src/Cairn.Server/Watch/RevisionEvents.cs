using Cairn.State;

namespace Cairn.Server.Watch;

/// <summary>All changes of one revision, in order. Shared by every watcher that wants one of them, never changed.</summary>
internal sealed class RevisionEvents
{
    private readonly ReadOnlyMemory<StateEvent> _events;

    /// <summary>Gathers the changes of one revision.</summary>
    /// <param name="events">Its changes, at least one, in order.</param>
    public RevisionEvents(ReadOnlyMemory<StateEvent> events)
    {
        Invariant.Holds(events.Length > 0);
        _events = events;
        Revision = events.Span[0].Revision.Main;
        foreach (ref readonly var change in events.Span)
        {
            Invariant.Holds(change.Revision.Main == Revision);
            Bytes += change.KeyValue.Length;
        }
    }

    /// <summary>The revision.</summary>
    public long Revision { get; }

    /// <summary>The changes, in order.</summary>
    public ReadOnlySpan<StateEvent> Events => _events.Span;

    /// <summary>Bytes of all rows.</summary>
    public long Bytes { get; }
}
