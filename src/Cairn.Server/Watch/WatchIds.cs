namespace Cairn.Server.Watch;

/// <summary>Gives the watchers of one stream their ids: counted from 0, none twice, skipping those that the client chose for itself.</summary>
/// <remarks>Not thread-safe. Source: etcd server/storage/mvcc/watcher.go.</remarks>
internal sealed class WatchIds
{
    private long _next;

    /// <summary>Assigns an id.</summary>
    /// <param name="wanted">What the client asks for; 0 leaves the choice to the stream. Negative ids are ids like others.</param>
    /// <param name="taken">Ids in use.</param>
    /// <param name="id">The id.</param>
    /// <returns>False if the id that the client asks for is in use.</returns>
    public bool TryAssign(long wanted, Dictionary<long, Watcher>.KeyCollection taken, out long id)
    {
        id = wanted;
        if (wanted != 0)
        {
            return !taken.Contains(wanted);
        }

        while (taken.Contains(_next))
        {
            _next++;
        }

        id = _next++;
        return true;
    }
}
