using System.Diagnostics.CodeAnalysis;
using Cairn.Protocol;
using Cairn.State;

namespace Cairn.Server.Watch;

/// <summary>What became of one turn of a watcher.</summary>
internal enum FeedOutcome
{
    /// <summary>It has seen everything that the ring holds.</summary>
    Done,

    /// <summary>There is more; it takes another turn after the others of its stream.</summary>
    More,

    /// <summary>The history it needs was compacted.</summary>
    Compacted,
}

/// <summary>Follows the ring, or reads history, for one watcher at a time, and packs what it wants into messages.</summary>
/// <param name="hub">The hub.</param>
/// <remarks>Owned by a stream's puller; not thread-safe.</remarks>
internal sealed class WatcherFeed(WatchHub hub)
{
    private readonly Queue<WatchDelivery> _ready = new();
    private readonly List<OutgoingEvent> _gathered = [];

    /// <summary>Takes a message that is ready.</summary>
    /// <param name="delivery">The message.</param>
    /// <returns>False if there is none.</returns>
    public bool TryTake([NotNullWhen(true)] out WatchDelivery? delivery) => _ready.TryDequeue(out delivery);

    /// <summary>Adds a message behind those that are ready.</summary>
    /// <param name="delivery">The message.</param>
    public void Add(WatchDelivery delivery) => _ready.Enqueue(delivery);

    /// <summary>Gives a watcher a turn: makes messages of the changes from its next revision on.</summary>
    /// <param name="watcher">Out of the queue.</param>
    /// <returns>What became of it.</returns>
    public FeedOutcome Follow(Watcher watcher)
    {
        var newest = hub.Ring.Newest;
        if (watcher.Next > newest)
        {
            return FeedOutcome.Done;
        }

        if (hub.Ring.Find(watcher.Next) is null)
        {
            return FollowHistory(watcher);
        }

        var isLive = !watcher.IsCatchingUp && newest - watcher.Next < WatchLimits.SeparateRevisionsMax;
        return isLive ? FollowLive(watcher, newest) : FollowRing(watcher, newest);
    }

    private FeedOutcome FollowLive(Watcher watcher, long newest)
    {
        for (var revision = watcher.Next; revision <= newest; revision++)
        {
            var changes = hub.Ring.Find(revision);
            if (changes is null)
            {
                return FeedOutcome.More;
            }

            Gather(watcher, changes);
            Send(watcher, revision);
            watcher.Next = revision + 1;
        }

        return FeedOutcome.Done;
    }

    private FeedOutcome FollowRing(Watcher watcher, long newest)
    {
        var last = Math.Min(newest, watcher.Next + WatchLimits.ScanRevisionsMax - 1);
        long bytes = 0;
        var revisions = 0;
        var seen = watcher.Next - 1;
        while (seen < last && revisions < WatchLimits.BatchRevisionsMax && bytes < WatchLimits.BatchBytesMax)
        {
            var changes = hub.Ring.Find(seen + 1);
            if (changes is null)
            {
                // Fell off just now: what was gathered is sent, the rest comes from history.
                break;
            }

            seen++;
            var before = _gathered.Count;
            Gather(watcher, changes);
            if (_gathered.Count > before)
            {
                revisions++;
                bytes += changes.Bytes;
            }
        }

        return Finish(watcher, seen, newest);
    }

    private FeedOutcome FollowHistory(Watcher watcher)
    {
        watcher.IsCatchingUp = true;
        var newest = hub.Ring.Newest;
        if (!hub.History.TryReadPage(watcher, newest, _gathered, out var seen))
        {
            _gathered.Clear();
            return FeedOutcome.Compacted;
        }

        if (watcher.WantsPrevious)
        {
            for (var i = 0; i < _gathered.Count; i++)
            {
                _gathered[i] = WithPrevious(_gathered[i].Change);
            }
        }

        return Finish(watcher, seen, newest);
    }

    private FeedOutcome Finish(Watcher watcher, long seen, long newest)
    {
        var isDone = seen == newest;
        if (_gathered.Count > 0)
        {
            // Everything up to the last revision looked at has been handed out with this message; before the end is reached, no more is claimed than is shown.
            Send(watcher, isDone ? seen : _gathered[^1].Change.Revision.Main);
        }

        watcher.Next = seen + 1;
        if (isDone)
        {
            watcher.IsCatchingUp = false;
        }

        return isDone ? FeedOutcome.Done : FeedOutcome.More;
    }

    private void Gather(Watcher watcher, RevisionEvents changes)
    {
        foreach (ref readonly var change in changes.Events)
        {
            if (watcher.Wants(change))
            {
                _gathered.Add(watcher.WantsPrevious ? WithPrevious(change) : new OutgoingEvent(change, default));
            }
        }
    }

    private OutgoingEvent WithPrevious(in StateEvent change) =>
        new(change, change.HadPrevious ? hub.History.ReadPrevious(change.Key.Span, change.Revision.Main) : default);

    private void Send(Watcher watcher, long revision)
    {
        if (_gathered.Count == 0)
        {
            return;
        }

        var events = _gathered.ToArray();
        _gathered.Clear();
        watcher.HadEvents = true;
        var whole = Pack(watcher, revision, events, isFragment: false);
        if (!watcher.MayFragment || events.Length < 2 || whole.ByteCount < hub.FragmentBytesMax)
        {
            _ready.Enqueue(whole);
            return;
        }

        SendFragments(watcher, revision, events);
    }

    private void SendFragments(Watcher watcher, long revision, OutgoingEvent[] events)
    {
        var first = 0;
        while (first < events.Length)
        {
            // Header and frame take less than 100 bytes; an event adds its own bytes, a tag and a length.
            long bytes = 100;
            var count = 0;
            while (first + count < events.Length && (count == 0 || bytes + events[first + count].ByteCount + 6 < hub.FragmentBytesMax))
            {
                bytes += events[first + count].ByteCount + 6;
                count++;
            }

            var isLast = first + count == events.Length;
            _ready.Enqueue(Pack(watcher, revision, new ArraySegment<OutgoingEvent>(events, first, count), isFragment: !isLast));
            first += count;
        }
    }

    private WatchDelivery Pack(Watcher watcher, long revision, ArraySegment<OutgoingEvent> events, bool isFragment) =>
        new(hub.Headers.Make(revision), new WatchResponse { WatchId = watcher.Id, Fragment = isFragment }, events);
}
