using Cairn.Protocol;
using Cairn.State.Members;

namespace Cairn.State.Entries;

/// <summary>Applies what members publish of themselves and of the cluster's version. Never refused.</summary>
/// <remarks>Source: etcd server/etcdserver/apply/apply.go (applierMembership).</remarks>
internal static class ClusterDispatch
{
    public static bool TryApply(StateParts parts, InternalRaftRequest request, out RequestOutcome outcome)
    {
        outcome = new RequestOutcome(StoreError.None, Effect: new ClusterChanged());
        if (request.ClusterMemberAttrSet is { } attributes)
        {
            var published = attributes.MemberAttributes;
            parts.Members = parts.Members.WithAttributes(attributes.MemberID, published?.Name ?? "", [.. published?.ClientUrls ?? []]);
            return true;
        }

        if (request.ClusterVersionSet is { } version)
        {
            parts.Members = parts.Members with { ClusterVersion = version.Ver };
            return true;
        }

        if (request.DowngradeInfoSet is { } downgrade)
        {
            parts.Members = parts.Members with { Downgrade = downgrade.Enabled ? new DowngradeJob(downgrade.Ver) : null };
            return true;
        }

        return false;
    }
}
