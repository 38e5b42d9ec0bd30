using System.Text.Json;
using Cairn.Protocol;
using Cairn.Protocol.Membership;
using Cairn.Server.Loops;
using Cairn.Server.Peers;
using Cairn.State;

namespace Cairn.Server.Membership;

/// <summary>Decides, on the leader, the version that all members can work with: the lowest of theirs. It only rises here.</summary>
/// <remarks>Source: etcd server/etcdserver/server.go (monitorClusterVersions), cluster_util.go (decideClusterVersion).</remarks>
internal static class ClusterVersion
{
    // What a new cluster begins with while a member cannot be asked, as in etcd.
    private static readonly Version Lowest = new(3, 0);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(1);

    /// <summary>Looks again and again until the node stops.</summary>
    /// <param name="node">The node.</param>
    /// <param name="wake">Wakes it, to see that the node stops.</param>
    /// <returns>Completes when the node stops.</returns>
    public static async Task MonitorAsync(NodeRuntime node, AsyncSignal wake)
    {
        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), wake, Interval, Interval);
        while (!node.IsStopping)
        {
            await wake.WaitAsync();
            if (!node.IsStopping)
            {
                await DecideAsync(node);
            }
        }
    }

    /// <summary>Decides once, if this member leads.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Whether there is a version now, or nobody asks this member for one.</returns>
    public static async Task<bool> DecideAsync(NodeRuntime node)
    {
        var current = node.View.Members.ClusterVersion is { } text ? Parse(text) : null;
        if (node.Facts.LeadingTerm == 0 || current >= Parse(node.Options.ServerVersion))
        {
            return true;
        }

        var agreed = await FindLowestAsync(node) ?? (current is null ? Lowest : null);
        if (agreed is null || agreed <= current)
        {
            return true;
        }

        var version = new ClusterVersionSetRequest { Ver = $"{agreed.Major}.{agreed.Minor}.0" };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.ClusterVersionSetFieldNumber, version, default);
        return outcome is { Error: NodeError.None, Result.Error: StoreError.None };
    }

    private static async Task<Version?> FindLowestAsync(NodeRuntime node)
    {
        var lowest = Parse(node.Options.ServerVersion);
        foreach (var member in node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId))
        {
            var theirs = node.World.Calls is { } calls ? await AskAsync(node, calls, member.PeerUrls) : lowest;
            if (theirs is null)
            {
                return null;
            }

            lowest = theirs < lowest ? theirs : lowest;
        }

        return lowest;
    }

    private static async ValueTask<Version?> AskAsync(NodeRuntime node, IPeerCalls calls, IEnumerable<string> urls)
    {
        foreach (var url in urls)
        {
            using var limit = new CancellationTokenSource(AnswerWithin, node.Time);
            var answer = await calls.AskAsync(url, new PeerCall("/version"), limit.Token);
            if (answer.Status == 200 && TryRead(answer.Body, out var version))
            {
                return version;
            }
        }

        return null;
    }

    private static bool TryRead(ReadOnlyMemory<byte> json, out Version? version)
    {
        version = null;
        try
        {
            using var document = JsonDocument.Parse(json);
            version = document.RootElement.TryGetProperty("etcdserver", out var text) ? Parse(text.GetString() ?? "") : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }

        return version is not null;
    }

    private static Version? Parse(string text)
    {
        var parts = text.Split('.', '-', '+');
        return parts.Length >= 2 && int.TryParse(parts[0], out var major) && int.TryParse(parts[1], out var minor) ? new Version(major, minor) : null;
    }
}
