using Cairn.Grpc;
using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>Lets watchers of clients share those of the cluster. Any thread; one lock, never held across a wait.</summary>
/// <remarks>
/// Worked example: A watches "k" from now on, revision 10, and gets a broadcast of its own, next 11. Much later, at 1000, B does the same. It too gets one of its own, since only the
/// cluster can say what now is; once that has said so, next 1001, both will be told the same, and B goes over to A's, where it passes over what is older than 1001.
/// Source: etcd server/proxy/grpcproxy/watch_broadcasts.go.
/// </remarks>
internal sealed class Broadcasts(Upstream upstream, KeyNamespace keys, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<WatchTopic, List<Broadcast>> _topics = [];
    private long _shared;
    private long _eventsSaved;

    /// <summary>Watchers of clients that share the cluster's watcher of another one.</summary>
    public long Shared => Volatile.Read(ref _shared);

    /// <summary>Messages that were told to one more client than the cluster sent them.</summary>
    public long EventsSaved => Volatile.Read(ref _eventsSaved);

    /// <summary>Lets a watcher listen: to a broadcast that has not told yet what it wants, or to a new one.</summary>
    /// <param name="listener">The watcher.</param>
    /// <param name="topic">What it wants to hear.</param>
    /// <param name="metadata">Who asks.</param>
    public void Join(Listener listener, WatchTopic topic, IReadOnlyList<KeyValuePair<string, string>> metadata)
    {
        Broadcast? begun = null;
        lock (_lock)
        {
            if (!_topics.TryGetValue(topic, out List<Broadcast>? known))
            {
                _topics.Add(topic, known = []);
            }

            Broadcast? fitting = listener.Next == 0 ? null : known.Find(broadcast => broadcast.Header is not null && broadcast.Next <= listener.Next);
            if (fitting is null)
            {
                known.Add(fitting = begun = new Broadcast(this, upstream, topic, metadata, listener.Next, time));
            }
            else
            {
                listener.Create(fitting.Header!); // Asked for above.
            }

            Add_NeedsLock(listener, fitting);
        }

        _ = begun?.RunAsync();
    }

    /// <summary>Lets a watcher listen no more.</summary>
    /// <returns>The newest header of what it listened to; null if there is none.</returns>
    public ResponseHeader? Leave(Listener listener)
    {
        lock (_lock)
        {
            if (listener.Source is not { } source)
            {
                return null;
            }

            listener.Source = null;
            source.Listeners.Remove(listener);
            _shared -= source.Listeners.Count > 0 ? 1 : 0;
            if (source.Listeners.Count == 0)
            {
                Remove_NeedsLock(source);
            }

            return source.Header;
        }
    }

    /// <summary>Takes what the cluster tells. The loop of the broadcast.</summary>
    /// <returns>False if that was the last.</returns>
    public bool Take(Broadcast broadcast, WatchResponse told)
    {
        if (keys.IsSet)
        {
            keys.Unmap(told);
        }

        lock (_lock)
        {
            if (told.Canceled)
            {
                foreach (Listener listener in Empty_NeedsLock(broadcast))
                {
                    listener.Cancel(told);
                }

                return false;
            }

            if (told.Created)
            {
                Create_NeedsLock(broadcast, told.Header);
            }
            else
            {
                Tell_NeedsLock(broadcast, told);
            }

            return !TryMerge_NeedsLock(broadcast);
        }
    }

    /// <summary>Ends the streams of all who listen: the cluster will tell them nothing any more.</summary>
    public void End(Broadcast broadcast, GrpcStatus status)
    {
        lock (_lock)
        {
            foreach (Listener listener in Empty_NeedsLock(broadcast))
            {
                listener.Stream.End(status);
            }
        }
    }

    private static void Create_NeedsLock(Broadcast broadcast, ResponseHeader header)
    {
        bool isFirst = broadcast.Header is null;
        broadcast.Header = header;
        if (!isFirst)
        {
            return; // At another member, where one failed.
        }

        broadcast.Next = broadcast.Next == 0 ? header.Revision + 1 : broadcast.Next;
        foreach (Listener listener in broadcast.Listeners)
        {
            listener.Create(header);
        }
    }

    private void Tell_NeedsLock(Broadcast broadcast, WatchResponse told)
    {
        broadcast.Header = told.Header;
        broadcast.Next = Math.Max(broadcast.Next, 1 + (told.Events.Count > 0 ? told.Events[^1].Kv.ModRevision : told.Header.Revision));
        foreach (Listener listener in broadcast.Listeners)
        {
            listener.Tell(told);
        }

        _eventsSaved += told.Events.Count > 0 ? Math.Max(0, broadcast.Listeners.Count - 1) : 0;
    }

    /// <summary>Sends those who listen to one broadcast over to another that will tell all that they still want.</summary>
    private bool TryMerge_NeedsLock(Broadcast broadcast)
    {
        if (!_topics.TryGetValue(broadcast.Topic, out List<Broadcast>? known)
            || known.Find(other => other != broadcast && other.Header is not null && other.Next <= broadcast.Next) is not { } target)
        {
            return false;
        }

        foreach (Listener listener in Empty_NeedsLock(broadcast))
        {
            Add_NeedsLock(listener, target);
        }

        return true;
    }

    private void Add_NeedsLock(Listener listener, Broadcast broadcast)
    {
        _shared += broadcast.Listeners.Count > 0 ? 1 : 0;
        broadcast.Listeners.Add(listener);
        listener.Source = broadcast;
    }

    private Listener[] Empty_NeedsLock(Broadcast broadcast)
    {
        Listener[] listeners = [.. broadcast.Listeners];
        foreach (Listener listener in listeners)
        {
            listener.Source = null;
        }

        _shared -= Math.Max(0, listeners.Length - 1);
        broadcast.Listeners.Clear();
        Remove_NeedsLock(broadcast);
        return listeners;
    }

    private void Remove_NeedsLock(Broadcast broadcast)
    {
        if (_topics.TryGetValue(broadcast.Topic, out List<Broadcast>? known) && known.Remove(broadcast) && known.Count == 0)
        {
            _topics.Remove(broadcast.Topic);
        }

        broadcast.Stop();
    }
}
