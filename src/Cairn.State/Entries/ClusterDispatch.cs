using Cairn.Protocol;
using Cairn.State.Members;

namespace Cairn.State.Entries;

/// <summary>Applies what members publish of themselves and of the cluster's version, and what healing records. Never refused.</summary>
/// <remarks>Source: etcd server/etcdserver/apply/apply.go (applierMembership).</remarks>
internal static class ClusterDispatch
{
    public static bool TryApply(StateParts parts, InternalRaftRequest request, ulong index, out RequestOutcome outcome)
    {
        outcome = new RequestOutcome(StoreError.None, Effect: new ClusterChanged());
        if (request.ClusterMemberAttrSet is { } attributes)
        {
            var published = attributes.MemberAttributes;
            parts.Members = parts.Members.WithAttributes(
                attributes.MemberID, published?.Name ?? "", [.. published?.ClientUrls ?? []], attributes.CairnIncarnation);
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

        if (request.Healing is { } healing)
        {
            parts.Healing = parts.Healing.With(healing, parts.Members, index);
            return true;
        }

        return false;
    }
}
