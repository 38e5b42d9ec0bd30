using Cairn.Protocol.Healing;
using Cairn.State.Alarms;
using Cairn.State.Members;
using Cairn.State.Persistence;

namespace Cairn.State.Healing;

/// <summary>Makes the state of a survivor the first state of a new cluster, in which the survivor is alone, and which is meant to become as large as the old one.</summary>
/// <remarks>
/// Key space, leases, users and permissions stay. The members of the old cluster are removed ones, so that their ids never count again; each leaves a place, so that
/// its directory, or an empty one at its peer URL, is taken in. The revision is raised and all below is compacted, so that watchers and caches read anew.
/// </remarks>
public sealed record NewEpoch
{
    // Above what somebody is known to have seen, this is room enough.
    private const long SkippedAboveSeen = 1_000_000;

    /// <summary>The cluster that was lost.</summary>
    public required ulong FormerCluster { get; init; }

    /// <summary>The survivor, as it is to be recorded: with a vote.</summary>
    public required MemberRecord Founder { get; init; }

    /// <summary>Highest revision that anybody showed.</summary>
    public required long HighestRevision { get; init; }

    /// <summary>What is told of it ever after.</summary>
    public required HealRecord Record { get; init; }

    /// <summary>Makes the state.</summary>
    /// <param name="survivor">The state of the survivor, all of its log applied.</param>
    /// <returns>The state of the new cluster.</returns>
    public StateCapture Begin(StateCapture survivor)
    {
        ArgumentNullException.ThrowIfNull(survivor);
        Invariant.Holds(SmallState.TryDecode(survivor.SmallState.Span, out var small));
        var after = Begin(small);
        return survivor with { Revision = after.Revision, CompactedRevision = after.CompactedRevision, Members = after.Members, SmallState = after.Encode() };
    }

    /// <summary>As <see cref="Begin(StateCapture)"/>.</summary>
    /// <param name="small">The state of the survivor, or of a snapshot.</param>
    /// <returns>The state of the new cluster.</returns>
    internal SmallState Begin(SmallState small)
    {
        Invariant.Holds(!Founder.IsLearner);
        var revision = Math.Max(checked(small.Revision + StateLoss.SkippedRevisions), checked(HighestRevision + SkippedAboveSeen));
        var others = small.Members.Members.RemoveAll(member => member.Id == Founder.Id);
        var members = small.Members with
        {
            Members = [Founder],
            Removed = [.. small.Members.Removed.Remove(Founder.Id).Union(others.Select(static member => member.Id)).Order()],
            Downgrade = null,
        };
        var after = small with
        {
            Revision = revision,
            CompactedRevision = revision,
            Alarms = AlarmTable.Of(small.Alarms.All.Where(alarm => alarm.MemberId == Founder.Id)),
            Members = members,
            Healing = Heal(small.Healing, small.Members, [.. others]),
        };
        after.Healing.AssertInvariants();
        after.Members.AssertInvariants();
        return after;
    }

    private HealingTable Heal(HealingTable before, MemberTable members, List<MemberRecord> others)
    {
        var kept = before.Vacancies.Where(place => place.FilledBy == 0 || place.FilledBy == Founder.Id);
        var left = others.Select(static member => new VacantPlace(member.Id, member.Name, member.PeerUrls, IsStandby: member.IsStandby));
        var begun = before.Current is { } current
            ? before.WithFinished(current with { Outcome = HealOutcome.GivenUp, Result = "a majority was lost", EndedAtMs = Record.EndedAtMs })
            : before;
        return begun.WithFinished(Record) with
        {
            TargetSize = Math.Max(before.TargetSize, members.Members.Length),
            Vacancies = [.. kept, .. left],
            Current = null,
            FormerEpochs = before.FormerEpochs.Add(FormerCluster),
        };
    }
}
