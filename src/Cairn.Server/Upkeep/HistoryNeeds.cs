using Cairn.Protocol.Peers;
using Cairn.Server.Peers;

namespace Cairn.Server.Upkeep;

/// <summary>Knows the oldest revisions that watchers have still to read, whichever member they are at: the leader compacts for all of them.</summary>
/// <remarks>
/// The leader asks while it compacts by itself. What a member said last counts for five minutes after it fell silent: its clients come back elsewhere, and go on from there.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class HistoryNeeds(NodeRuntime node)
{
    /// <summary>Path of the question.</summary>
    public const string Path = "/cairn/history";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CountsFor = TimeSpan.FromMinutes(5);

    private readonly Dictionary<ulong, (HistoryReport Report, long At)> _heard = [];
    private readonly HashSet<ulong> _asking = [];
    private readonly Lock _lock = new();

    /// <summary>Describes the watchers of this member. Any thread.</summary>
    /// <returns>What the leader is told.</returns>
    public HistoryReport Describe() => new() { NeededFrom = OrNone(node.Hub.FindOldestNeeded()), WatchedFrom = OrNone(node.Hub.FindOldestWatched()) };

    /// <summary>Asks the other members, and waits for none of them.</summary>
    public void Ask()
    {
        foreach (var member in node.World.Calls is null ? [] : node.View.Members.Members)
        {
            bool isFirst;
            lock (_lock)
            {
                isFirst = member.Id != node.Headers.MemberId && !member.PeerUrls.IsEmpty && _asking.Add(member.Id);
            }

            if (isFirst)
            {
                _ = AskAsync(member.Id, member.PeerUrls[0]);
            }
        }
    }

    /// <summary>Finds the oldest revision that a registered watcher has still to read, or that one would go on from.</summary>
    /// <returns>The revision; <see cref="long.MaxValue"/> if there is none.</returns>
    public long FindOldestNeeded() => Math.Min(node.Hub.FindOldestNeeded(), FindOldest(static report => report.NeededFrom));

    /// <summary>Finds the oldest revision that a registered watcher has still to read.</summary>
    /// <returns>The revision; <see cref="long.MaxValue"/> if there is none.</returns>
    public long FindOldestWatched() => Math.Min(node.Hub.FindOldestWatched(), FindOldest(static report => report.WatchedFrom));

    private static long OrNone(long revision) => revision == long.MaxValue ? 0 : revision;

    private long FindOldest(Func<HistoryReport, long> which)
    {
        lock (_lock)
        {
            var oldest = long.MaxValue;
            foreach (var (report, at) in _heard.Values)
            {
                if (which(report) != 0 && node.Time.GetElapsedTime(at) < CountsFor)
                {
                    oldest = Math.Min(oldest, which(report));
                }
            }

            return oldest;
        }
    }

    private async Task AskAsync(ulong member, string url)
    {
        // Who does not answer: what it said last counts for a while.
        var report = await PeerBody.AskAsync(node.World, url, PeerCall.Of(Path) with { To = member }, HistoryReport.Parser, Patience);
        lock (_lock)
        {
            _asking.Remove(member);
            if (report is not null)
            {
                _heard[member] = (report, node.Time.GetTimestamp());
            }
        }
    }
}
