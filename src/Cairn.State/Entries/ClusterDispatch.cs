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
        if (Change(parts.Members, request) is { } members)
        {
            parts.Members = members;
            return true;
        }

        if (request.Healing is { } healing)
        {
            parts.Healing = parts.Healing.With(healing, parts.Members, index);
            return true;
        }

        return false;
    }

    /// <summary>Says what a request makes of the members.</summary>
    /// <param name="members">Those before.</param>
    /// <param name="request">The request.</param>
    /// <returns>Those after; null if it is about something else.</returns>
    public static MemberTable? Change(MemberTable members, InternalRaftRequest request)
    {
        if (request.ClusterMemberAttrSet is { } attributes)
        {
            var published = attributes.MemberAttributes;
            return members.WithAttributes(
                attributes.MemberID, published?.Name ?? "", [.. published?.ClientUrls ?? []], attributes.CairnIncarnation, attributes.CairnStandby);
        }

        return request.ClusterVersionSet is { } version ? members with { ClusterVersion = version.Ver }
            : request.DowngradeInfoSet is { } downgrade ? members with { Downgrade = downgrade.Enabled ? new DowngradeJob(downgrade.Ver) : null }
            : null;
    }
}
