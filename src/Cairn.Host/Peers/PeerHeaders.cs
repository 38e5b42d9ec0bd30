using Cairn.Server;

namespace Cairn.Host.Peers;

/// <summary>Headers of the peer protocol, and the rules of who may speak to whom.</summary>
/// <remarks>Source: etcd server/etcdserver/api/rafthttp/http.go, util.go.</remarks>
internal static class PeerHeaders
{
    /// <summary>Sender, hexadecimal.</summary>
    public const string From = "X-Server-From";

    /// <summary>Version of the speaker.</summary>
    public const string Version = "X-Server-Version";

    /// <summary>Lowest version that the speaker can work with.</summary>
    public const string VersionMin = "X-Min-Cluster-Version";

    /// <summary>Cluster of the speaker, hexadecimal.</summary>
    public const string Cluster = "X-Etcd-Cluster-ID";

    /// <summary>Peer URLs of the sender, separated by commas.</summary>
    public const string Urls = "X-PeerURLs";

    /// <summary>Addressee, hexadecimal.</summary>
    public const string To = "X-Raft-To";

    /// <summary>What a process of Cairn shows of itself; etcd passes over it.</summary>
    public const string Process = "X-Cairn-Process";

    /// <summary>The lowest version that this server can work with, as etcd says it.</summary>
    public const string VersionMinValue = "3.0.0";

    /// <summary>Says in a request who sends it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="node">The sender.</param>
    /// <param name="ownUrls">Its peer URLs, separated by commas.</param>
    public static void Introduce(HttpRequestMessage request, Node node, string ownUrls)
    {
        Introduce(request, node.ClusterId);
        request.Headers.TryAddWithoutValidation(From, $"{node.MemberId:x}");
        request.Headers.TryAddWithoutValidation(Urls, ownUrls);
        request.Headers.TryAddWithoutValidation(Process, node.Sight.ToString());
    }

    /// <summary>Says in a request of which cluster its sender is, for one that has no node.</summary>
    /// <param name="request">The request.</param>
    /// <param name="clusterId">The cluster.</param>
    public static void Introduce(HttpRequestMessage request, ulong clusterId)
    {
        request.Headers.TryAddWithoutValidation(Version, Versions.Etcd);
        request.Headers.TryAddWithoutValidation(VersionMin, VersionMinValue);
        request.Headers.TryAddWithoutValidation(Cluster, $"{clusterId:x}");
    }

    /// <summary>Whether a path is one of Cairn's own, which etcd does not know.</summary>
    /// <param name="path">Path on the peer port.</param>
    public static bool IsOwnPath(string path) => path.StartsWith("/cairn/", StringComparison.Ordinal);

    /// <summary>Why a request is not from a member of this cluster; null if it may be.</summary>
    /// <param name="version">The sender's <see cref="Version"/>.</param>
    /// <param name="versionMin">The sender's <see cref="VersionMin"/>.</param>
    /// <param name="cluster">The sender's <see cref="Cluster"/>.</param>
    /// <param name="ownCluster">This cluster.</param>
    public static string? Refusal(string? version, string? versionMin, string? cluster, ulong ownCluster)
    {
        var theirs = Parse(version);
        var needed = Parse(versionMin);
        var own = Parse(Versions.Etcd);
        if (theirs.CompareTo(Parse(VersionMinValue)) < 0 || needed.CompareTo(own) > 0)
        {
            return "incompatible version";
        }

        return cluster == $"{ownCluster:x}" ? null : "cluster ID mismatch";
    }

    // A speaker without the header is from before it existed.
    private static (int Major, int Minor) Parse(string? text)
    {
        string[] parts = (text ?? "2.0.0").Split('.', '-', '+');
        return parts.Length >= 2 && int.TryParse(parts[0], out int major) && int.TryParse(parts[1], out int minor) ? (major, minor) : (2, 0);
    }
}
