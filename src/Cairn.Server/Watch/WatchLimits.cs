namespace Cairn.Server.Watch;

/// <summary>Bounds of everything that a watch may take.</summary>
internal static class WatchLimits
{
    /// <summary>Revisions that the ring of recent changes holds: a few hundred milliseconds at full write rate, seconds to hours else.</summary>
    public const int RingRevisionsCapacity = 8192;

    /// <summary>Bytes of rows that the ring holds: 8192 ordinary rows fit many times over, forty of the largest.</summary>
    public const long RingBytesMax = 64 * 1024 * 1024;

    /// <summary>Answers to requests that may wait for a client that does not read; the next request waits beyond that.</summary>
    public const int ControlCapacity = 256;

    /// <summary>Revisions a live watcher may be behind and still get a response for each; beyond, they are put together, as etcd does with a full channel.</summary>
    public const int SeparateRevisionsMax = 128;

    /// <summary>Revisions put together in one response of a watcher that catches up, as etcd does.</summary>
    public const int BatchRevisionsMax = 1000;

    /// <summary>Bytes of rows after which a response is full; the revision that fills it is still whole.</summary>
    public const int BatchBytesMax = 1024 * 1024;

    /// <summary>Revisions looked at in one turn of one watcher, matching or not, so that watchers of a stream take turns.</summary>
    public const int ScanRevisionsMax = 10_000;

    /// <summary>Revisions the dispatcher handles under one lock, so that creating a watcher never waits long.</summary>
    public const int DispatchRevisionsMax = 64;

    /// <summary>Streams woken before others get their turn: with ten thousand on one key, a write would otherwise queue behind all of them at each of its steps.</summary>
    public const int WakeTogetherMax = 64;

    /// <summary>Largest fragment beyond the largest request: what etcd's gRPC layer allows itself.</summary>
    public const int FragmentOverheadBytes = 512 * 1024;
}
