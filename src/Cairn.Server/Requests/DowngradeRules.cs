using System.Globalization;
using Cairn.Protocol;
using Cairn.State.Members;

namespace Cairn.Server.Requests;

/// <summary>Which downgrades may be: exactly one minor version, and one at a time. Source: etcd server/etcdserver/v3_server.go.</summary>
internal static class DowngradeRules
{
    /// <summary>Judges a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="members">Cluster version and the downgrade under way.</param>
    /// <param name="target">The version aimed at, as "major.minor.0".</param>
    /// <returns>None, or the refusal.</returns>
    public static NodeError Judge(DowngradeRequest request, MemberTable members, out string target)
    {
        target = "";
        if (request.Action == DowngradeRequest.Types.DowngradeAction.Cancel)
        {
            return members.Downgrade is null ? NodeError.NoInflightDowngrade : NodeError.None;
        }

        if (request.Action is not (DowngradeRequest.Types.DowngradeAction.Validate or DowngradeRequest.Types.DowngradeAction.Enable))
        {
            return NodeError.UnknownMethod;
        }

        if (!TryParse(request.Version, out var wanted))
        {
            return NodeError.WrongDowngradeVersionFormat;
        }

        if (members.ClusterVersion is null || !TryParse(members.ClusterVersion, out var current))
        {
            return NodeError.ClusterVersionUnavailable;
        }

        if (members.Downgrade is not null)
        {
            return NodeError.DowngradeInProgress;
        }

        target = string.Create(CultureInfo.InvariantCulture, $"{wanted.Major}.{wanted.Minor}.0");
        return wanted.Major == current.Major && wanted.Minor == current.Minor - 1 ? NodeError.None : NodeError.InvalidDowngradeTargetVersion;
    }

    private static bool TryParse(string text, out (int Major, int Minor) version)
    {
        version = default;
        var parts = text.Split('.');
        return parts.Length is 2 or 3
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out version.Major)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out version.Minor)
            && (parts.Length == 2 || int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out _));
    }
}
