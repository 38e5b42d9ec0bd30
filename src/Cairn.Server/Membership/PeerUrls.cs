using System.Collections.Immutable;
using Cairn.State.Members;

namespace Cairn.Server.Membership;

/// <summary>Judges peer URLs as etcd does, and collects them.</summary>
/// <remarks>Source: etcd client/pkg/types/urls.go.</remarks>
internal static class PeerUrls
{
    /// <summary>Whether URLs may be those of a member: at least one, each with a scheme that peers speak, a host and a port, and no path.</summary>
    /// <param name="urls">The URLs.</param>
    /// <returns>True if so.</returns>
    public static bool AreValid(IReadOnlyCollection<string> urls) => urls.Count > 0 && urls.All(IsValid);

    /// <summary>Where a member may be reached: under the URLs of the membership, and under those that the list of members gives its name now, since all may have moved.</summary>
    /// <remarks>An address proves nothing: who answers there shows who it is.</remarks>
    /// <param name="member">The member.</param>
    /// <param name="options">What this member was told.</param>
    /// <returns>The URLs, those of the membership first.</returns>
    public static ImmutableArray<string> Of(MemberRecord member, NodeOptions options)
    {
        var listed = member.Name.Length == 0 ? null : options.InitialCluster.FirstOrDefault(each => each.Name == member.Name);
        return listed is null ? member.PeerUrls : [.. member.PeerUrls.Union(listed.PeerUrls, StringComparer.Ordinal)];
    }

    /// <summary>All addresses that the list of members gives.</summary>
    /// <param name="options">What this member was told.</param>
    /// <returns>The URLs.</returns>
    public static ImmutableArray<string> Listed(NodeOptions options) => [.. options.InitialCluster.SelectMany(static member => member.PeerUrls)];

    private static bool IsValid(string url)
    {
        var schemeEnd = url.IndexOf("://", StringComparison.Ordinal);
        if (schemeEnd <= 0 || url[..schemeEnd] is not ("http" or "https" or "unix" or "unixs"))
        {
            return false;
        }

        var authority = url[(schemeEnd + 3)..];
        if (authority.AsSpan().IndexOfAny('/', '?', '#') >= 0)
        {
            return false;
        }

        var colon = authority.LastIndexOf(':');
        return colon >= 0 && ushort.TryParse(authority[(colon + 1)..], out _) && Uri.TryCreate(url, UriKind.Absolute, out _);
    }
}
