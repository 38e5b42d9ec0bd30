using System.Collections.Immutable;
using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>Decides what healing does next. A pure function of what the leader knows.</summary>
/// <remarks>
/// One step at a time: carry it out, look again. Order: the heal under way comes first, since it is the only thing that may be half done; then members that lost
/// their disk, since they count and cannot vote; then removed ones that want to come back; then voters that have been gone for long; then members that never started. A step is taken only if its
/// configuration keeps a live quorum; what cannot be decided for sure is waited for, and said.
/// </remarks>
internal static class HealPlan
{
    /// <summary>Decides.</summary>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">What it may do.</param>
    /// <param name="now">The moment, of the clock that the view's moments are of.</param>
    /// <returns>One step or none, with what is waited for.</returns>
    public static HealDecision Next(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (policy.Mode == HealMode.Off)
        {
            return HealDecision.Nothing;
        }

        view = view with { Applicants = view.Applicants.RemoveAll(applicant => HasBeenTakenIn(applicant, view)) };
        var foreign = view.Sights.Where(sight => !sight.IsCairn).ToList();
        if (!view.Healing.IsCounting)
        {
            return foreign.Count == 0
                ? new HealDecision(new HealStep.SetTargetSize(view.Members.Members.Length + view.Healing.Vacancies.Count(static place => place.FilledBy == 0)), [])
                : Choose(view, policy, now, [.. foreign.Select(ForeignText)]);
        }

        if (foreign.Count == 0 && Disputes.Next(view, policy, now) is { } verdict)
        {
            // It changes no membership, so it needs no approval and waits for nothing.
            return new HealDecision(verdict, []);
        }

        if (view.Healing.Current is { } current)
        {
            var decision = HealUnderWay.Continue(current, view, policy, now);
            return decision.Step is null || !view.IsChangePending ? decision : decision with { Step = null };
        }

        return Choose(view, policy, now, [.. foreign.Select(ForeignText)]);
    }

    /// <summary>How long to leave alone what was just tended.</summary>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">The shortest and the longest.</param>
    /// <returns>The pause.</returns>
    internal static TimeSpan PauseOf(ClusterView view, HealPolicy policy)
    {
        // Ten pauses, doubled with each heal that came to nothing: 10 s, 20 s, 40 s, ... with the usual pause.
        var doubled = view.GivenUpInARow == 0 ? policy.Pause : policy.Pause * (10 * Math.Pow(2, Math.Min(view.GivenUpInARow - 1, 16)));
        return doubled < policy.PauseMax ? doubled : policy.PauseMax;
    }

    /// <summary>Whether an application is of before its directory was given a place: it must not get a second one when it loses the first.</summary>
    private static bool HasBeenTakenIn(Applicant applicant, ClusterView view) =>
        view.Members.Members.Any(member => member.Incarnation == applicant.Incarnation)
        || view.Healing.Finished.Any(heal => heal.Incarnation == applicant.Incarnation && heal.Outcome == HealOutcome.Healed);

    private static HealDecision Choose(ClusterView view, HealPolicy policy, TimeSpan now, ImmutableArray<string> foreign)
    {
        var cases = WipedMembers.Find(view, policy, now)
            .Concat(RemovedMembers.Find(view, policy, now))
            .Concat(LostVoters.Find(view, policy, now))
            .ToList();
        cases.AddRange(UnstartedMembers.Find(view, policy, now, areInTheWay: cases.Any(static each => each.Obstacle is null)));
        ImmutableArray<HealNotice> waiting = [.. cases.Where(each => each.Obstacle is not null).Select(each => each.Notice(each.Obstacle!)), .. SlowLearners(view, policy, now)];

        // What needs a record has to wait until nobody is left who may not understand it; one who never started can be cleared meanwhile.
        var possible = cases.Find(each => each.Obstacle is null && (foreign.IsEmpty || !each.NeedsRecord)) ?? cases.Find(each => each.Obstacle is null);
        if (possible is null || view.IsChangePending)
        {
            return new HealDecision(null, waiting);
        }

        if (view.LastHealEndedAt is { } ended && now - ended < PauseOf(view, policy))
        {
            return new HealDecision(null, waiting.Add(possible.Notice("the last heal has only just ended")));
        }

        if (possible.NeedsRecord && !foreign.IsEmpty)
        {
            // Nothing that only Cairn members understand may enter the log: a person does by hand what healing would.
            return new HealDecision(null, waiting.Add(possible.Notice($"{possible.Heal.Decision}? Not by itself: {foreign[0]}. By hand: {ByHand(possible.Heal)}")));
        }

        return policy.Mode == HealMode.Auto || view.Approved.Contains(possible.Key)
            ? new HealDecision(possible.NeedsRecord ? new HealStep.Begin(possible.Heal) : new HealStep.Clear(possible.Heal), waiting)
            : new HealDecision(null, waiting.Add(possible.Notice($"{possible.Heal.Decision}? It waits for approval") with { Proposal = possible.Heal }));
    }

    /// <summary>What a person does instead; an empty directory at the peer URL of a member that was just added is that member.</summary>
    private static string ByHand(HealRecord heal)
    {
        var remove = $"`etcdctl member remove {heal.OldMember:x}`";
        var add = $"`etcdctl member add {heal.Name} {(heal.IsStandby ? "--learner " : "")}--peer-urls={string.Join(',', heal.PeerUrls)}`";
        return heal.Kind switch
        {
            HealKind.ReplaceWiped => $"{remove}, then {add}",
            HealKind.ReplaceLost => $"{remove}, then `etcdctl member promote {heal.NewMember:x}`",
            _ => add,
        };
    }

    /// <summary>Learners that run and do not catch up: reported, and left alone.</summary>
    private static IEnumerable<HealNotice> SlowLearners(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        foreach (var sight in view.Sights.Where(sight => sight.Member.IsLearner && sight.IsStarted && Quorums.IsReachable(sight, view, policy, now)))
        {
            var behind = now - (sight.InSyncAt ?? sight.KnownSince);
            if (behind >= policy.SlowAfter)
            {
                yield return new HealNotice(
                    $"slow-{sight.Member.Id:x}", $"learner {sight.Member.Id:x} ({sight.Member.Name}) has not caught up for {behind.TotalMinutes:F0} min: {sight.LagEntries} entries to go");
            }
        }
    }

    private static string ForeignText(MemberSight sight) => sight.IsStarted
        ? $"member {sight.Member.Id:x} ({sight.Member.Name}) is not known to be a Cairn"
        : $"member {sight.Member.Id:x} ({string.Join(',', sight.Member.PeerUrls)}) was added and has not started";
}

/// <summary>Something that can be healed, or cannot yet.</summary>
/// <param name="Key">Tells it from others; stays the same while it lasts.</param>
/// <param name="Heal">What would be done.</param>
/// <param name="Obstacle">Why it is not done now; null if it can be.</param>
/// <param name="NeedsRecord">Whether it takes several changes, so that a record has to come first.</param>
internal sealed record HealCase(string Key, HealRecord Heal, string? Obstacle, bool NeedsRecord = true)
{
    /// <summary>Says why it waits.</summary>
    /// <param name="reason">Why.</param>
    /// <returns>For people.</returns>
    public HealNotice Notice(string reason) => new(Key, $"{Heal.Detected}; {reason}", Heal.Incarnation);
}
