namespace Cairn.Server.Membership;

/// <summary>Judges peer URLs as etcd does.</summary>
/// <remarks>Source: etcd client/pkg/types/urls.go.</remarks>
internal static class PeerUrls
{
    /// <summary>Whether URLs may be those of a member: at least one, each with a scheme that peers speak, a host and a port, and no path.</summary>
    /// <param name="urls">The URLs.</param>
    /// <returns>True if so.</returns>
    public static bool AreValid(IReadOnlyCollection<string> urls) => urls.Count > 0 && urls.All(IsValid);

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
