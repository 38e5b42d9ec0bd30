using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>A watcher of a client. Guarded by the lock of <see cref="Broadcasts"/>.</summary>
/// <param name="stream">Where it is told.</param>
/// <param name="id">Its id on the stream.</param>
/// <param name="start">The revision to begin at; 0 for now.</param>
/// <param name="wantsProgress">Whether it is told of progress.</param>
internal sealed class Listener(ListenerStream stream, long id, long start, bool wantsProgress)
{
    /// <summary>Where it is told.</summary>
    public ListenerStream Stream => stream;

    /// <summary>The first revision that it was not told of; 0 while it waits for the cluster to say what now is.</summary>
    public long Next { get; private set; } = start;

    /// <summary>Whom it listens to; null for nobody.</summary>
    public Broadcast? Source { get; set; }

    /// <summary>Says that it is there.</summary>
    public void Create(ResponseHeader header)
    {
        Next = Next == 0 ? header.Revision + 1 : Next;
        stream.Add(new WatchResponse { Header = header, WatchId = id, Created = true });
    }

    /// <summary>Hands on what it was not told of yet.</summary>
    public void Tell(WatchResponse told)
    {
        var answer = new WatchResponse { Header = told.Header, WatchId = id };
        answer.Events.AddRange(told.Events.Where(change => change.Kv.ModRevision >= Next));
        if (answer.Events.Count > 0)
        {
            Next = answer.Events[^1].Kv.ModRevision + 1;
            stream.Add(answer);
        }
        else if (told.Events.Count == 0)
        {
            Next = Math.Max(Next, told.Header.Revision + 1);
            if (wantsProgress)
            {
                stream.Add(answer);
            }
        }
    }

    /// <summary>Says that the cluster ended it.</summary>
    public void Cancel(WatchResponse told) => stream.Add(new WatchResponse
    {
        Header = told.Header,
        WatchId = told.Created ? -1 : id,
        Created = told.Created,
        Canceled = true,
        CancelReason = told.CancelReason,
        CompactRevision = told.CompactRevision,
    });
}
