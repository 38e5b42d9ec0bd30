using Cairn.Host.Flags;
using Cairn.Server;

namespace Cairn.Host.Discovery;

/// <summary>Finds out with whom a member without a cluster is to found one, where flags say how to find out.</summary>
internal static class ClusterDiscovery
{
    // Soon enough after a name server has come up.
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(2);

    /// <summary>Fills in the list of members. Where a log is, its cluster is known, and nobody is asked.</summary>
    /// <param name="values">The flags.</param>
    /// <param name="node">What the node is told so far.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what was found.</param>
    /// <returns>What the node is told.</returns>
    /// <exception cref="FlagException">What was found cannot be used.</exception>
    /// <exception cref="IOException">A certificate cannot be read.</exception>
    public static async Task<NodeOptions> CompleteAsync(FlagValues values, NodeOptions node, TimeProvider time, ILogger logger)
    {
        var (address, endpoints, domain) = (values.Text("discovery"), values.Text("discovery-endpoints"), values.Text("discovery-srv"));
        if (address.Length + endpoints.Length + domain.Length == 0)
        {
            return node;
        }

        if (HasLog(node))
        {
            Log.DiscoveryIgnored(logger, node.DataDirectory);
            return node;
        }

        if (address.Length > 0)
        {
            throw new FlagException(
                "--discovery: discovery by the v2 API is not there; use --discovery-endpoints and --discovery-token, --discovery-srv or --initial-cluster");
        }

        if (endpoints.Length > 0 && node.IsJoining)
        {
            return node;
        }

        NodeOptions found = endpoints.Length > 0 ? await ByTokenAsync(values, node, time, logger) : await ByDomainAsync(values, node, time, logger);
        foreach (InitialMember member in found.InitialCluster)
        {
            Log.MemberDiscovered(logger, member.Name, member.PeerUrls);
        }

        return found;
    }

    private static bool HasLog(NodeOptions node)
    {
        string directory = node.LogDirectory ?? Path.Combine(node.DataDirectory, "member", "wal");
        return Directory.Exists(directory) && Directory.EnumerateFiles(directory, "*.wal").Any();
    }

    private static async Task<NodeOptions> ByTokenAsync(FlagValues values, NodeOptions node, TimeProvider time, ILogger logger)
    {
        TokenDiscoveryOptions options = TokenDiscoveryOptions.Read(values);
        node = node with { ClusterToken = options.Token };
        var discovery = new TokenDiscovery(options, time, logger);
        return node with { InitialCluster = await discovery.JoinAsync(Node.FoundingIdOf(node), node.Name, node.PeerUrls, CancellationToken.None) };
    }

    /// <summary>Asks until name servers answer: what they say may be wrong, that they say nothing passes.</summary>
    private static async Task<NodeOptions> ByDomainAsync(FlagValues values, NodeOptions node, TimeProvider time, ILogger logger)
    {
        string domain = values.Text("discovery-srv");
        while (true)
        {
            try
            {
                var members = await SrvDiscovery.OfSystem(time).MembersAsync(domain, values.Text("discovery-srv-name"), node.Name, node.PeerUrls, CancellationToken.None);
                return node with { InitialCluster = members, LearnsNames = true };
            }
            catch (IOException e)
            {
                Log.DiscoveryFails(logger, domain, e.Message);
                await Task.Delay(RetryPause, time);
            }
        }
    }
}
