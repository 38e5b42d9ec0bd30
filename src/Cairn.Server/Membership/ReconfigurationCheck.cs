using Cairn.State.Members;

namespace Cairn.Server.Membership;

/// <summary>Refuses membership changes after which the members that have started could not make a quorum.</summary>
/// <remarks>A member that never published its name has not started. Source: etcd server/etcdserver/api/membership/cluster.go.</remarks>
internal static class ReconfigurationCheck
{
    /// <summary>Judges the addition of a member.</summary>
    /// <param name="members">The members now.</param>
    /// <param name="isLearner">Whether it is to be a learner, which counts for no quorum.</param>
    /// <param name="isStrict">Whether anything is refused at all.</param>
    /// <returns>None, or the refusal.</returns>
    public static NodeError JudgeAdd(MemberTable members, bool isLearner, bool isStrict)
    {
        if (!isStrict || isLearner)
        {
            return NodeError.None;
        }

        var voters = members.Members.Where(member => !member.IsLearner).ToList();
        var started = voters.Count(IsStarted);

        // One started member may always take a second one in: there is no other way to grow.
        if (started == 1 && voters.Count == 1)
        {
            return NodeError.None;
        }

        return started >= Quorum(voters.Count + 1) ? NodeError.None : NodeError.NotEnoughStartedMembers;
    }

    /// <summary>Judges the removal of a member.</summary>
    /// <param name="members">The members now.</param>
    /// <param name="id">Who is to go.</param>
    /// <param name="isStrict">Whether anything is refused at all.</param>
    /// <returns>None, or the refusal.</returns>
    public static NodeError JudgeRemove(MemberTable members, ulong id, bool isStrict)
    {
        var removed = members.Find(id);
        if (removed is null)
        {
            return NodeError.MemberNotFound;
        }

        if (!isStrict || removed.IsLearner)
        {
            return NodeError.None;
        }

        var rest = members.Members.Where(member => !member.IsLearner && member.Id != id).ToList();
        return rest.Count > 0 && rest.Count(IsStarted) >= Quorum(rest.Count) ? NodeError.None : NodeError.NotEnoughStartedMembers;
    }

    private static bool IsStarted(MemberRecord member) => member.Name.Length > 0;

    private static int Quorum(int voters) => (voters / 2) + 1;
}
