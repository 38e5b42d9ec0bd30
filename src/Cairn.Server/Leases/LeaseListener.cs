using Cairn.Protocol.Peers;
using Cairn.Server.Loops;

namespace Cairn.Server.Leases;

/// <summary>A voter, this member included, that is told of the leases of a leader.</summary>
/// <param name="member">Its id.</param>
internal sealed class LeaseListener(ulong member)
{
    /// <summary>Leases in one message: a hundred kilobytes and more, which take milliseconds to send.</summary>
    internal const int LeasesAMessageMax = 10_000;

    private readonly HashSet<long> _untold = [];
    private readonly Queue<long> _order = new();
    private bool _mustBegin = true;
    private ulong _number;

    /// <summary>Its id.</summary>
    public ulong Member => member;

    /// <summary>Wakes the one who tells it.</summary>
    public AsyncSignal Wake { get; } = new();

    /// <summary>All up to this change are known to it. Owned by the teller's lock.</summary>
    public ulong Known { get; set; }

    /// <summary>Has it told of a lease. Under the clock's lock.</summary>
    /// <param name="id">Its id.</param>
    public void Note(long id)
    {
        if (_untold.Add(id))
        {
            _order.Enqueue(id);
        }
    }

    /// <summary>It may have missed something: everything is told anew. Any thread.</summary>
    public void BeginAnew() => Volatile.Write(ref _mustBegin, true);

    /// <summary>Takes what it was not told yet, or a part of it. Under the clock's lock.</summary>
    /// <param name="leases">All leases.</param>
    /// <param name="news">Receives it.</param>
    public void Take(IReadOnlyDictionary<long, LeaseTimer> leases, LeaseNews news)
    {
        if (Volatile.Read(ref _mustBegin))
        {
            Volatile.Write(ref _mustBegin, false);
            news.Begins = true;
            foreach (var id in leases.Keys)
            {
                Note(id);
            }
        }

        // The first says only that others follow: most likely the member is not there.
        while (!news.Begins && news.Ids.Count < LeasesAMessageMax && _order.TryDequeue(out var id))
        {
            _untold.Remove(id);
            news.Ids.Add(id);
            news.Deadlines.Add(leases.TryGetValue(id, out var lease) ? (long)Math.Ceiling(lease.Deadline.TotalMilliseconds) : 0);
        }

        news.Number = ++_number;
        news.IsAll = _order.Count == 0;
    }
}
