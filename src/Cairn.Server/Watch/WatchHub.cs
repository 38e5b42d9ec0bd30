namespace Cairn.Server.Watch;

/// <summary>Brings changes to those who watch them, without ever making the writer wait.</summary>
/// <remarks>
/// <para>
/// The apply loop appends each revision to the ring and goes on. The dispatcher, a loop of its own, looks up who wants the new changes and puts these
/// watchers into the queues of their streams. The task that serves a stream takes a watcher from the queue and follows the ring from where that watcher
/// stood: at its own pace, sharing rows with everybody. Who is too slow for the ring reads the segments, a page at a time.
/// </para>
/// <para>Locks, in this order: the hub's (index, list of streams), a stream's (its queue). Neither is held while history is read.</para>
/// </remarks>
internal sealed class WatchHub
{
    private readonly Lock _lock = new();
    private readonly Loops.AsyncSignal _wake = new();
    private readonly WatcherIndex _index;
    private readonly List<WatchStream> _streams = [];
    private readonly List<WatchStream> _awaitingDispatch = [];
    private readonly List<WatchStream> _toWake = [];
    private readonly List<WatcherIndex.Group> _found = [];
    private readonly Departures _departures;
    private long _dispatched;
    private long _run;
    private bool _stopping;

    /// <summary>Creates a hub without watchers.</summary>
    /// <param name="history">Where changes that left the ring are read.</param>
    /// <param name="headers">Makes headers.</param>
    /// <param name="seed">Of the chance that balances the index.</param>
    /// <param name="requestBytesMax">Largest request; bounds fragments.</param>
    /// <param name="time">Measures how long ago streams broke.</param>
    public WatchHub(WatchHistory history, HeaderSource headers, ulong seed, int requestBytesMax, TimeProvider time)
    {
        _departures = new Departures(time);
        History = history;
        Headers = headers;
        FragmentBytesMax = requestBytesMax + WatchLimits.FragmentOverheadBytes;
        _index = new WatcherIndex(seed);
        _dispatched = history.CurrentRevision;
        Ring = new EventRing(WatchLimits.RingRevisionsCapacity, WatchLimits.RingBytesMax, _dispatched);
    }

    /// <summary>Told when history on disk is not what was written: the member stops.</summary>
    public Action<Exception> OnDamage { get; init; } = static _ => { };

    /// <summary>Where changes that left the ring are read.</summary>
    public WatchHistory History { get; }

    /// <summary>Makes headers.</summary>
    public HeaderSource Headers { get; }

    /// <summary>Recent changes.</summary>
    public EventRing Ring { get; }

    /// <summary>Size from which a response is split for watchers that allow it.</summary>
    public int FragmentBytesMax { get; }

    /// <summary>Every change up to here has been put into the queues of those who want it.</summary>
    public long Dispatched => Volatile.Read(ref _dispatched);

    /// <summary>Number of watchers.</summary>
    public int WatcherCount
    {
        get
        {
            lock (_lock)
            {
                return _index.Count;
            }
        }
    }

    /// <summary>Number of streams.</summary>
    public int StreamCount
    {
        get
        {
            lock (_lock)
            {
                return _streams.Count;
            }
        }
    }

    /// <summary>Appends the changes of the next revision, already visible to readers. The apply loop only.</summary>
    /// <param name="next">The changes.</param>
    public void Append(RevisionEvents next) => Ring.Append(next);

    /// <summary>Goes on at another revision, since the state was replaced: who is not there yet reads what lies between. The apply loop only.</summary>
    /// <param name="revision">Revision of the store now, visible to readers.</param>
    public void Restart(long revision)
    {
        Ring.Restart(revision);
        Wake();
    }

    /// <summary>Wakes the dispatcher after <see cref="Append"/>. The apply loop only, once a batch.</summary>
    public void Wake() => _wake.SetAfterTurn();

    /// <summary>Lets all watchers be judged again: users or roles changed. The apply loop only.</summary>
    public void RulesChanged()
    {
        foreach (var stream in Streams())
        {
            stream.Guard.RulesChanged();
            stream.Wake();
        }
    }

    /// <summary>Runs the dispatcher until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        while (!Volatile.Read(ref _stopping))
        {
            while (_dispatched < Ring.Newest)
            {
                DispatchRun();
                for (var woken = 0; woken < _toWake.Count; woken += WatchLimits.WakeTogetherMax)
                {
                    WakeSome(woken);
                    await Task.Yield();
                }

                _toWake.Clear();
            }

            await _wake.WaitAsync();
        }
    }

    /// <summary>Ends the dispatcher and all streams.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
        EndStreams(requireLeaderOnly: false, NodeError.Stopped);
    }

    /// <summary>Puts every change appended so far into the queues of those who want it. The dispatcher only (and tests, in its place).</summary>
    public void Dispatch()
    {
        while (_dispatched < Ring.Newest)
        {
            DispatchRun();
            _toWake.ForEach(static stream => stream.Wake());
            _toWake.Clear();
        }
    }

    /// <summary>Ends streams.</summary>
    /// <param name="requireLeaderOnly">Only those whose clients asked to be told when there is no leader.</param>
    /// <param name="reason">What they are told.</param>
    public void EndStreams(bool requireLeaderOnly, NodeError reason)
    {
        foreach (var stream in Streams())
        {
            if (!requireLeaderOnly || stream.RequiresLeader)
            {
                stream.End(reason);
            }
        }
    }

    /// <summary>Lets every stream tell its idle watchers how far they are, where they want to be told.</summary>
    public void AnnounceProgress()
    {
        foreach (var stream in Streams())
        {
            stream.ProgressIsDue();
        }
    }

    /// <summary>Finds the oldest revision that somebody still has to read, or would read if he came back from a broken connection.</summary>
    /// <returns>The revision; <see cref="long.MaxValue"/> if there is none.</returns>
    public long FindOldestNeeded() => Math.Min(_departures.FindOldest(), FindOldestWatched());

    /// <summary>Finds the oldest revision that a registered watcher still has to read.</summary>
    /// <returns>The revision; <see cref="long.MaxValue"/> if there is none.</returns>
    public long FindOldestWatched()
    {
        var oldest = long.MaxValue;
        foreach (var stream in Streams())
        {
            oldest = Math.Min(oldest, stream.FindOldestNeeded(Dispatched));
        }

        return oldest;
    }

    /// <summary>Counts the watchers that still have history to read.</summary>
    /// <returns>How many.</returns>
    public int CountBehind() => Streams().Sum(stream => stream.CountBehind());

    /// <summary>Takes a stream in.</summary>
    /// <param name="stream">A new one.</param>
    public void Add(WatchStream stream)
    {
        lock (_lock)
        {
            _streams.Add(stream);
        }

        if (Volatile.Read(ref _stopping))
        {
            stream.End(NodeError.Stopped);
        }
    }

    /// <summary>Drops a stream and its watchers.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="watchers">What it has.</param>
    public void Remove(WatchStream stream, IEnumerable<Watcher> watchers)
    {
        _departures.Note(stream.LastNeeded);
        lock (_lock)
        {
            _streams.Remove(stream);
            _awaitingDispatch.Remove(stream);
            foreach (var watcher in watchers)
            {
                Unregister_NeedsLock(watcher);
            }
        }
    }

    /// <summary>Starts to look for changes that a watcher wants.</summary>
    /// <param name="watcher">A new one.</param>
    /// <returns>Whether changes it wants may have been dispatched already, so that it must look for them itself.</returns>
    public bool Register(Watcher watcher)
    {
        lock (_lock)
        {
            if (watcher.IsCancelled)
            {
                return false;
            }

            watcher.IsIndexed = true;
            _index.Add(watcher);
            return watcher.Start <= _dispatched;
        }
    }

    /// <summary>Looks no longer for a watcher.</summary>
    /// <param name="watcher">A cancelled one.</param>
    public void Unregister(Watcher watcher)
    {
        lock (_lock)
        {
            Unregister_NeedsLock(watcher);
        }
    }

    /// <summary>Wakes a stream when everything up to a revision has been dispatched.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="revision">The revision.</param>
    public void WakeWhenDispatched(WatchStream stream, long revision)
    {
        lock (_lock)
        {
            if (_dispatched < revision)
            {
                _awaitingDispatch.Add(stream);
                return;
            }
        }

        stream.Wake();
    }

    private void DispatchRun()
    {
        lock (_lock)
        {
            _run++;
            var last = Math.Min(Ring.Newest, _dispatched + WatchLimits.DispatchRevisionsMax);
            for (var revision = _dispatched + 1; revision <= last; revision++)
            {
                if (Ring.Find(revision) is { } changes)
                {
                    DispatchRevision_NeedsLock(changes);
                    continue;
                }

                // The ring is a whole turn ahead, or was begun anew: everybody looks for himself, in the segments, for all that is not there any more.
                var first = revision;
                revision = Math.Max(revision, Ring.Oldest - 1);
                last = Math.Max(last, revision);
                MarkAll_NeedsLock(first, revision);
            }

            Volatile.Write(ref _dispatched, last);
            _toWake.AddRange(_awaitingDispatch);
            _awaitingDispatch.Clear();
        }
    }

    /// <summary>Wakes a few streams: each is work for the scheduler, and what writes wait for comes in between.</summary>
    private void WakeSome(int first)
    {
        var end = Math.Min(first + WatchLimits.WakeTogetherMax, _toWake.Count);
        for (var i = first; i < end; i++)
        {
            _toWake[i].Wake();
        }
    }

    private void Unregister_NeedsLock(Watcher watcher)
    {
        Invariant.Holds(watcher.IsCancelled);
        if (watcher.IsIndexed)
        {
            watcher.IsIndexed = false;
            _index.Remove(watcher);
        }
    }

    private void DispatchRevision_NeedsLock(RevisionEvents changes)
    {
        foreach (ref readonly var change in changes.Events)
        {
            _found.Clear();
            _index.Find(change.Key.Span, _found);
            Mark_NeedsLock(changes.Revision, change.IsDeletion);
        }
    }

    private void MarkAll_NeedsLock(long first, long last)
    {
        _found.Clear();
        _index.All(_found);
        foreach (var watcher in _found.SelectMany(static group => group.Watchers).Where(watcher => watcher.Start <= last))
        {
            Mark_NeedsLock(watcher, Math.Max(first, watcher.Start));
        }
    }

    private void Mark_NeedsLock(long revision, bool isDelete)
    {
        foreach (var group in _found)
        {
            foreach (var watcher in group.Watchers)
            {
                if (revision >= watcher.Start && watcher.WantsKind(isDelete))
                {
                    Mark_NeedsLock(watcher, revision);
                }
            }
        }
    }

    private void Mark_NeedsLock(Watcher watcher, long revision)
    {
        // Once a run is enough: the end of the run was in the ring before the run began, and whoever is woken follows the ring to its end.
        if (watcher.MarkedInRun != _run)
        {
            watcher.MarkedInRun = _run;
            if (watcher.Stream.Mark(watcher, revision))
            {
                _toWake.Add(watcher.Stream);
            }
        }
    }

    private WatchStream[] Streams()
    {
        lock (_lock)
        {
            return [.. _streams];
        }
    }
}
