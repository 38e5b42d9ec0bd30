using System.Collections.Immutable;
using Cairn.Protocol.Healing;
using Cairn.State.Members;

namespace Cairn.State.Healing;

/// <summary>How many members the cluster is meant to have, which places are vacant, who was sent away, and what healing does and did. Immutable.</summary>
/// <remarks>
/// <para>
/// Counting begins with the first size that is set, which takes the vacant places in that were left before: in the first seconds of a cluster a stop hook may be faster than its leader. From then on, changes of the membership that healing did not make move it:
/// </para>
/// <code>
///   a user adds a member       + 1; or, at the peer URLs of a vacant place, that place is filled
///   a started member leaves    its place becomes vacant
///   an unstarted one leaves    - 1; or the place that it filled is vacant again
///   a member is evicted        - 1, and no place of its is left
///   an eviction is taken back  + 1, and its place is vacant
/// </code>
/// <para>A spare learner that is promoted in place of a lost voter leaves its own place to that one: who comes back is the spare from then on.</para>
/// <para>So a stop hook that removes a member and a start script that adds it again leave the size alone, however often.</para>
/// </remarks>
public sealed record HealingTable
{
    // Enough to look back a while, and little in a manifest.
    private const int FinishedMax = 64;

    // Nobody has so many copies of disks; an older verdict that is forgotten would be made again.
    private const int VerdictsMax = 32;

    /// <summary>Nothing is known: no size was set.</summary>
    public static HealingTable Empty { get; } = new();

    /// <summary>Members, learners included, that the cluster is meant to have; 0 before it was first set.</summary>
    public int TargetSize { get; init; }

    /// <summary>Places that removed members left, oldest first.</summary>
    public ImmutableArray<VacantPlace> Vacancies { get; init; } = [];

    /// <summary>Ids of the members sent away for good, ascending.</summary>
    public ImmutableArray<ulong> Evicted { get; init; } = [];

    /// <summary>The heal under way; null if there is none.</summary>
    public HealRecord? Current { get; init; }

    /// <summary>The newest heals that ended, oldest first.</summary>
    public ImmutableArray<HealRecord> Finished { get; init; } = [];

    /// <summary>Ids of the clusters that this one was before, each lost with a majority of its members, oldest first.</summary>
    public ImmutableArray<ulong> FormerEpochs { get; init; } = [];

    /// <summary>The newest verdicts on processes of present members, oldest first.</summary>
    public ImmutableArray<ProcessVerdict> Verdicts { get; init; } = [];

    /// <summary>Whether sizes are counted.</summary>
    public bool IsCounting => TargetSize > 0;

    /// <summary>Finds the vacant place of a removed member.</summary>
    /// <param name="memberId">The removed member.</param>
    /// <returns>The place; null if it left none, or somebody took it.</returns>
    public VacantPlace? FindVacancy(ulong memberId) => Vacancies.FirstOrDefault(place => place.MemberId == memberId && place.FilledBy == 0);

    /// <summary>Whether a heal removed a member, for which it took its disk or its process for lost.</summary>
    /// <param name="memberId">The removed member.</param>
    /// <returns>False if a person removed it, or the heal is forgotten.</returns>
    public bool IsReplaced(ulong memberId)
    {
        bool Did(HealRecord heal) => heal.OldMember == memberId && heal.Kind is HealKind.ReplaceWiped or HealKind.ReplaceLost;
        return Finished.Any(Did) || (Current is { } current && Did(current));
    }

    /// <summary>Finds what was decided about a process.</summary>
    /// <param name="memberId">The member for which it wants to speak.</param>
    /// <param name="nonce">The process.</param>
    /// <returns>The newest verdict; null if there is none.</returns>
    public ProcessVerdict? VerdictOn(ulong memberId, ulong nonce) => Verdicts.LastOrDefault(verdict => verdict.MemberId == memberId && verdict.Nonce == nonce);

    /// <summary>Reads what a manifest kept.</summary>
    /// <param name="state">The message.</param>
    /// <returns>The table.</returns>
    public static HealingTable Read(HealingState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return new HealingTable
        {
            TargetSize = (int)state.TargetSize,
            Vacancies = [.. state.Vacancies.Select(VacantPlace.Read)],
            Evicted = [.. state.Evicted],
            Current = state.Current is { } current ? HealRecord.Read(current) : null,
            Finished = [.. state.Finished.Select(HealRecord.Read)],
            FormerEpochs = [.. state.FormerEpochs],
            Verdicts = [.. state.Verdicts],
        };
    }

    /// <summary>Makes the message that a manifest keeps.</summary>
    /// <returns>A new one.</returns>
    public HealingState ToMessage()
    {
        var state = new HealingState { TargetSize = (uint)TargetSize, Current = Current?.ToMessage() };
        state.Vacancies.AddRange(Vacancies.Select(static place => place.ToMessage()));
        state.Evicted.AddRange(Evicted);
        state.Finished.AddRange(Finished.Select(record => record.ToMessage()));
        state.FormerEpochs.AddRange(FormerEpochs);
        state.Verdicts.AddRange(Verdicts);
        return state;
    }

    /// <summary>Applies a request. One that does not fit any more changes nothing: whoever proposed it looks at the table.</summary>
    internal HealingTable With(HealingRequest request, MemberTable members, ulong index) => request switch
    {
        { SetTargetSize: { Size: > 0 } set } => set.IfUnset ? WithFirstSize(set, members) : this with { TargetSize = (int)set.Size },
        { Evict: { } evict } => WithEvicted(evict.MemberId, members),
        { Readmit: { } readmit } when Evicted.Contains(readmit.MemberId) => this with
        {
            TargetSize = TargetSize + 1,
            Evicted = Evicted.Remove(readmit.MemberId),
            Vacancies = Vacancies.Add(new VacantPlace(readmit.MemberId, readmit.Name, [.. readmit.PeerUrls])),
        },
        { Begin: { } begin } => Current is null && IsCounting ? this with { Current = HealRecord.Read(begin) with { Id = index } } : this,
        { End: { Outcome: not HealOutcome.UnderWay } end } => Current?.Id == end.HealId ? WithEnd(Current, end, members) : this,
        { Verdict: { } verdict } => IsCounting && members.Find(verdict.MemberId) is not null ? WithVerdict(verdict, index) : this,
        { Note: { Outcome: not HealOutcome.UnderWay } note } => IsCounting ? WithFinished(HealRecord.Read(note) with { Id = index }) : this,
        _ => this,
    };

    /// <summary>Follows a change of the membership that was made.</summary>
    internal HealingTable With(MemberChange change, MemberTable before) => change.Kind switch
    {
        MemberChangeKind.Add => WithAdded(change),
        MemberChangeKind.Remove when IsCounting || IsCairn(change.MemberId, before) =>
            (this with { Verdicts = Verdicts.RemoveAll(verdict => verdict.MemberId == change.MemberId) }).WithRemoved(before.Find(change.MemberId)!), // It was there: the change was made.
        MemberChangeKind.Remove => this with { Vacancies = Vacancies.RemoveAll(place => place.FilledBy == change.MemberId) },
        _ => this,
    };

    internal void AssertInvariants()
    {
        Invariant.Holds(IsCounting || Current is null);
        Invariant.Holds(Finished.Length <= FinishedMax && Finished.All(record => record.Outcome != HealOutcome.UnderWay));
        Invariant.Holds(Current is null or { Id: > 0, Outcome: HealOutcome.UnderWay });
        Invariant.Holds(!Vacancies.Any(place => Evicted.Contains(place.MemberId)));
    }

    /// <summary>Whether a member never started, or is known to be Cairn as all who did: places that etcd's members leave while a cluster becomes one of Cairn are not meant to be filled.</summary>
    private static bool IsCairn(ulong memberId, MemberTable members) =>
        members.Find(memberId) is { Name.Length: 0 } or { Incarnation: not 0 } && members.Members.All(static member => member.Incarnation != 0 || member.ClientUrls.IsEmpty);

    /// <summary>Begins to count, with the places that the leader knew to be vacant. If the membership has changed since then, nothing begins, and the leader counts again.</summary>
    private HealingTable WithFirstSize(SetTargetSize set, MemberTable members) =>
        IsCounting || set.Size != members.Members.Length + set.Vacancies.Count(static place => place.FilledBy == 0)
            ? this
            : this with { TargetSize = (int)set.Size, Vacancies = [.. set.Vacancies.Select(VacantPlace.Read)] };

    private HealingTable WithAdded(MemberChange change)
    {
        var urls = change.Member?.PeerUrls ?? [];
        var isHealing = Current?.NewMember == change.MemberId;
        var place = Vacancies.FirstOrDefault(
            place => place.FilledBy == 0 && (isHealing ? place.MemberId == Current!.OldMember : place.PeerUrls.Any(urls.Contains)));
        if (place is not null)
        {
            return this with { Vacancies = Vacancies.Replace(place, place with { FilledBy = change.MemberId }) };
        }

        return isHealing ? this : Resized(1);
    }

    private HealingTable WithRemoved(MemberRecord member)
    {
        var filled = Vacancies.FirstOrDefault(place => place.FilledBy == member.Id);
        var isStarted = member.Name.Length > 0;
        if (filled is not null && !isStarted)
        {
            return this with { Vacancies = Vacancies.Replace(filled, filled with { FilledBy = 0 }) };
        }

        var rest = this with { Vacancies = filled is null ? Vacancies : Vacancies.Remove(filled) };
        if (Evicted.Contains(member.Id))
        {
            return rest;
        }

        return isStarted
            ? rest with { Vacancies = rest.Vacancies.Add(new VacantPlace(member.Id, member.Name, member.PeerUrls, IsStandby: member.IsStandby)) }
            : rest.Resized(-1);
    }

    private HealingTable WithEvicted(ulong id, MemberTable members)
    {
        var place = Vacancies.FirstOrDefault(place => place.MemberId == id);
        if (Evicted.Contains(id) || (IsCounting ? place is null && members.Find(id) is null : !members.Removed.Contains(id)))
        {
            return this;
        }

        // A place that somebody else took is his: the size stays.
        return Resized(place is { FilledBy: not 0 } ? 0 : -1) with
        {
            Vacancies = place is null ? Vacancies : Vacancies.Remove(place),
            Evicted = [.. Evicted.Add(id).Order()],
        };
    }

    private HealingTable WithEnd(HealRecord current, EndHeal end, MemberTable members)
    {
        var ended = WithFinished(current with { Outcome = end.Outcome, Result = end.Result, EndedAtMs = end.AtUnixMs });

        // Who took a place and started holds it by himself: the place is not vacant any more, whatever becomes of its old holder.
        var places = Vacancies.RemoveAll(place => members.Find(place.FilledBy) is { Name.Length: > 0 });
        var isSwapped = ended.Finished[^1] is { Kind: HealKind.ReplaceLost, Outcome: HealOutcome.Healed };
        return ended with
        {
            Current = null,
            Vacancies = isSwapped ? [.. places.Select(place => place.MemberId == current.OldMember ? place with { IsStandby = true } : place)] : places,
        };
    }

    internal HealingTable WithFinished(HealRecord record)
    {
        var finished = Finished.Add(record);
        return this with { Finished = finished.Length > FinishedMax ? finished.RemoveAt(0) : finished };
    }

    private HealingTable WithVerdict(ProcessVerdict verdict, ulong index)
    {
        // The table is immutable, and so are messages once they are in it.
        var kept = new ProcessVerdict(verdict) { Index = index, Heal = null };
        var verdicts = Verdicts.Add(kept);
        var noted = verdict.Heal is { Outcome: HealOutcome.Healed } heal ? WithFinished(HealRecord.Read(heal) with { Id = index }) : this;
        return noted with { Verdicts = verdicts.Length > VerdictsMax ? verdicts.RemoveAt(0) : verdicts };
    }

    // Nobody means a cluster to have no members.
    private HealingTable Resized(int by) => IsCounting ? this with { TargetSize = Math.Max(TargetSize + by, 1) } : this;
}
