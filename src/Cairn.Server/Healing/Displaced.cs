using System.Collections.Immutable;
using Cairn.State.Healing;
using Cairn.State.Members;

namespace Cairn.Server.Healing;

/// <summary>Members and vacant places whose address another member has taken, and directories at an address that nobody has: the ones belong to the others.</summary>
/// <remarks>
/// <para>
/// Disks that are exchanged or copied take their members along, and an address is changed for one member at a time. When the processes that were about to do that are lost in the middle of it, somebody
/// is left without an address, and the one who asks to be taken in stands at an address of the cluster (the leader's list has it) at which nobody is expected.
/// </para>
/// <para>An address proves nothing, and decides nothing here but who comes back as whom: it is a new member in any case, and the old one is replaced under the same conditions as a wiped one.</para>
/// </remarks>
internal static class Displaced
{
    /// <summary>An address that nobody can have (RFC 2606), for a member that is not where it was.</summary>
    /// <param name="id">The member.</param>
    /// <returns>Its peer URLs until it is known where it is.</returns>
    public static ImmutableArray<string> Nowhere(ulong id) => [$"http://{id:x}.invalid:2380"];

    /// <summary>Whether it is not known where a member is.</summary>
    /// <param name="member">The member.</param>
    /// <returns>True if so.</returns>
    public static bool Is(MemberRecord member) => member.PeerUrls.SequenceEqual(Nowhere(member.Id));

    /// <summary>Whether a vacant place has no address that could still be its own.</summary>
    /// <param name="place">The place.</param>
    /// <param name="members">The membership.</param>
    /// <returns>True if so.</returns>
    public static bool Is(VacantPlace place, MemberTable members) =>
        place.FilledBy == 0 && place.PeerUrls.All(url => Nowhere(place.MemberId).Contains(url) || members.Members.Any(member => member.PeerUrls.Contains(url)));

    /// <summary>Whether somebody stands at an address of the cluster at which nobody is expected; or has moved from one, and has the name that is listed there.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="urls">Where it is.</param>
    /// <param name="members">The membership.</param>
    /// <param name="healing">The vacant places.</param>
    /// <param name="listed">The members that the flags of this one give.</param>
    /// <returns>True if so.</returns>
    public static bool IsUnexpected(string name, IReadOnlyCollection<string> urls, MemberTable members, HealingTable healing, ImmutableArray<InitialMember> listed) =>
        IsNobodys(urls, members, healing)
        && listed.Any(each => each.PeerUrls.Any(urls.Contains) || (each.Name == name && IsNobodys(each.PeerUrls, members, healing)));

    /// <summary>Whether an address is neither that of a member nor that of a vacant place.</summary>
    /// <param name="urls">The address.</param>
    /// <param name="members">The membership.</param>
    /// <param name="healing">The vacant places.</param>
    /// <returns>True if so.</returns>
    public static bool IsNobodys(IReadOnlyCollection<string> urls, MemberTable members, HealingTable healing) =>
        !members.Members.Any(member => member.PeerUrls.Any(urls.Contains))
        && !healing.Vacancies.Any(place => place.FilledBy == 0 && place.PeerUrls.Any(urls.Contains));
}
