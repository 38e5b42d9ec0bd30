using System.Diagnostics.CodeAnalysis;

namespace Cairn.Server.Watch;

/// <summary>The watchers of one stream by their ids, which are counted from 0, none twice, skipping those that the client chose for itself.</summary>
/// <remarks>Owned by the stream's lock. Source of the ids: etcd server/storage/mvcc/watcher.go.</remarks>
internal sealed class WatcherTable
{
    private readonly Dictionary<long, Watcher> _watchers = [];
    private long _nextId;

    /// <summary>All watchers.</summary>
    public IReadOnlyCollection<Watcher> All => _watchers.Values;

    /// <summary>Assigns an id.</summary>
    /// <param name="wanted">What the client asks for; 0 leaves the choice to the stream. Negative ids are ids like others.</param>
    /// <param name="id">The id.</param>
    /// <returns>False if the id that the client asks for is in use.</returns>
    public bool TryAssignId(long wanted, out long id)
    {
        id = wanted;
        if (wanted != 0)
        {
            return !_watchers.ContainsKey(wanted);
        }

        while (_watchers.ContainsKey(_nextId))
        {
            _nextId++;
        }

        id = _nextId++;
        return true;
    }

    /// <summary>Adds a watcher.</summary>
    /// <param name="watcher">Its id was assigned here.</param>
    public void Add(Watcher watcher) => _watchers.Add(watcher.Id, watcher);

    /// <summary>Takes a watcher out.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="watcher">The watcher.</param>
    /// <returns>False if there is none.</returns>
    public bool TryRemove(long id, [NotNullWhen(true)] out Watcher? watcher) => _watchers.Remove(id, out watcher);

    /// <summary>Takes all watchers out.</summary>
    /// <returns>Those that were there.</returns>
    public Watcher[] Clear()
    {
        Watcher[] all = [.. _watchers.Values];
        _watchers.Clear();
        return all;
    }

    /// <summary>Finds the oldest revision that a watcher has still to get.</summary>
    /// <param name="dispatched">Up to here, watchers that are not in the queue have everything.</param>
    /// <returns>The revision; <see cref="long.MaxValue"/> without watchers.</returns>
    public long FindOldestNeeded(long dispatched)
    {
        var oldest = long.MaxValue;
        foreach (var watcher in _watchers.Values)
        {
            var isBehind = watcher.IsQueued || watcher.IsCatchingUp;
            oldest = Math.Min(oldest, isBehind ? Math.Max(watcher.Next, watcher.MarkedFrom) : Math.Max(watcher.Next, dispatched + 1));
        }

        return oldest;
    }
}
