using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Server.Membership;

namespace Cairn.Server.Founding;

/// <summary>Decides what a member without a cluster does. Pure: facts in, one decision out.</summary>
/// <remarks>
/// <para>
/// Founding is not recovery: where anybody who is listed has data, or may have, nothing is founded (docs/decisions/0009). A founder starts only when every
/// listed member, itself included, has synced the same founding record; and whoever has synced one never calls itself empty again. So of two clusters with the
/// same list the second would need each listed disk to be empty, and a disk that started in the first one is not.
/// </para>
/// <para>When in doubt it waits, and names who is missing.</para>
/// </remarks>
internal static class FoundingPlan
{
    /// <summary>Decides.</summary>
    /// <param name="facts">What is known.</param>
    /// <returns>The next step.</returns>
    public static FoundingDecision Decide(FoundingFacts facts) =>
        Follow(facts) ?? FollowEtcd(facts) ?? (facts.IsJoining ? WaitForCluster(facts) : Found(facts));

    /// <summary>Follows whoever has a cluster already; of several, the one that knows most of it.</summary>
    private static FoundingDecision? Follow(FoundingFacts facts)
    {
        var former = facts.Findings.SelectMany(finding => finding.Shown?.FormerEpochs ?? []).ToHashSet();
        var best = facts.Findings
            .Where(finding => finding.Shown is { Standing: Standing.Member } shown && MayFollow(facts, shown) && !former.Contains(shown.ClusterId))
            .MaxBy(finding => finding.Shown!.AppliedIndex); // Checked before.
        if (best?.Shown is not { } shown)
        {
            return null;
        }

        var isFounder = shown.Founding?.Members.Any(member => member.Incarnation == facts.Incarnation) ?? false;
        var removed = shown.Founding?.Members.FirstOrDefault(member => member.Incarnation == facts.Incarnation && shown.Removed.Contains(member.Id));
        if (isFounder && removed is null)
        {
            return new FoundingDecision.Start(shown.Founding!); // It has a founder.
        }

        var expected = shown.Members.FirstOrDefault(member => member.Incarnation == facts.Incarnation)
            ?? shown.Members.FirstOrDefault(member => member is { Incarnation: 0, HasStarted: false } && AreSame(member.PeerUrls, facts.PeerUrls));
        if (expected is not null)
        {
            return new FoundingDecision.Join(new FoundCluster(shown.ClusterId, expected.Id, [.. shown.Members.Select(FoundingRecords.Read)]));
        }

        return AskForPlace(facts, best, shown, removed?.Id ?? 0);
    }

    private static FoundingDecision.AskForPlace AskForPlace(FoundingFacts facts, Finding best, Handshake shown, ulong removedId)
    {
        var holder = shown.Members.FirstOrDefault(member => member.PeerUrls.Any(url => facts.PeerUrls.Contains(url)));
        var reason = (holder, removedId) switch
        {
            ({ } member, _) => $"member {member.Id:x} with the peer URLs of this one made promises on another data directory",
            (null, not 0) => $"this member ({removedId:x}) was removed before it started",
            _ => "the cluster has no member with the peer URLs of this one",
        };
        return new FoundingDecision.AskForPlace(holder?.Id ?? removedId, best.Url, $"{best.Title} has a cluster ({shown.ClusterId:x}): {reason}");
    }

    /// <summary>Follows etcd, which shows no incarnations: only if told to.</summary>
    private static FoundingDecision.Join? FollowEtcd(FoundingFacts facts)
    {
        foreach (var finding in facts.IsJoining ? facts.Findings : [])
        {
            if (finding.EtcdMembers is { } members && Joining.Match(members, finding.EtcdClusterId, facts.PeerUrls, facts.Listed.Length) is { Cluster: { } cluster })
            {
                return new FoundingDecision.Join(cluster);
            }
        }

        return null;
    }

    private static FoundingDecision.Wait WaitForCluster(FoundingFacts facts) => new(facts.Findings.IsEmpty
        ? "no cluster to join was found: --initial-cluster names nobody but this member; add the members that there are, at least one, and start again"
        : $"no cluster to join was found: {string.Join("; ", facts.Findings.Select(finding => $"{finding.Title} {WhyNotFollowed(facts, finding)}"))}");

    private static string WhyNotFollowed(FoundingFacts facts, Finding finding) => finding switch
    {
        { Shown: { } shown } => MayFollow(facts, shown) ? $"is {Describe(shown.Standing)}" : "has another token",
        { EtcdMembers: { } members } => Joining.Match(members, finding.EtcdClusterId, facts.PeerUrls, facts.Listed.Length).Reason,
        _ => "does not answer",
    };

    private static FoundingDecision Found(FoundingFacts facts)
    {
        if (facts.Listed.Length == 1 && !facts.HasListened)
        {
            return new FoundingDecision.Wait("listening for peers that know this member already");
        }

        var obstacles = facts.Findings.Where(finding => finding.Name.Length > 0)
            .Select(finding => (finding.HasAnswered, Text: Obstacle(facts, finding))).Where(obstacle => obstacle.Text is not null).ToList();
        if (facts.Rule == BootstrapRule.Quorum)
        {
            return FoundWithQuorum(facts, obstacles);
        }

        if (obstacles.Count > 0)
        {
            return new FoundingDecision.Wait($"a new cluster is founded when every listed member says that it is empty: {string.Join("; ", obstacles.Select(obstacle => obstacle.Text))}");
        }

        var record = FoundingRecords.Of(facts);
        if (record.Members.GroupBy(member => member.Incarnation).FirstOrDefault(group => group.Count() > 1) is { } copies)
        {
            return new FoundingDecision.Wait($"{string.Join(" and ", copies.Select(member => member.Name).Order(StringComparer.Ordinal))} are one process, or copies of one data directory");
        }

        if (facts.Listed.Length > 1 && !record.Equals(facts.Agreed))
        {
            return new FoundingDecision.Agree(record);
        }

        var undecided = facts.Findings.Where(finding => finding.Name.Length > 0 && !record.Equals(finding.Shown?.Founding)).ToList();
        return undecided.Count == 0
            ? new FoundingDecision.Start(record)
            : new FoundingDecision.Wait($"every listed member is empty; to agree to found the cluster have yet: {string.Join(", ", undecided.Select(finding => finding.Title))}");
    }

    /// <summary>Founds as etcd does, except that it waits for a majority: nobody's incarnation is recorded, so that all founders record the same.</summary>
    private static FoundingDecision FoundWithQuorum(FoundingFacts facts, List<(bool HasAnswered, string? Text)> obstacles)
    {
        var inTheWay = obstacles.Where(obstacle => obstacle.HasAnswered).ToList();
        var answered = facts.Listed.Length - obstacles.Count;
        return inTheWay.Count == 0 && answered > facts.Listed.Length / 2
            ? new FoundingDecision.Start(FoundingRecords.WithoutIncarnations(facts))
            : new FoundingDecision.Wait(
                $"a new cluster is founded when most listed members say that they are empty: {string.Join("; ", obstacles.Select(obstacle => obstacle.Text))}");
    }

    /// <summary>Why a listed member keeps this one from founding; null if it does not.</summary>
    private static string? Obstacle(FoundingFacts facts, Finding finding)
    {
        if (finding.EtcdMembers is { } members)
        {
            return ObstacleOfEtcd(facts, finding, members);
        }

        return finding.Shown switch
        {
            null => $"{finding.Title} does not answer",
            var shown when !IsOurs(facts, shown) => $"{finding.Title} has another token",
            { Standing: not (Standing.Empty or Standing.Founding) } shown => $"{finding.Title} is {Describe(shown.Standing)}",
            var shown when shown.Incarnation == facts.Incarnation => $"{finding.Title} leads to this member itself, or to a copy of its data directory",
            var shown when shown.Name != finding.Name => $"{finding.Title} is answered by {shown.Name}",
            var shown when !shown.Listed.SequenceEqual(facts.Listed.Select(FoundingRecords.Write)) => $"{finding.Title} was given another list of members",
            _ => null,
        };
    }

    private static string? ObstacleOfEtcd(FoundingFacts facts, Finding finding, ImmutableArray<State.Members.MemberRecord> members)
    {
        var self = facts.Listed.First(member => member.Name == facts.Name);
        var isStarted = members.Any(member => member.Id == self.Id && member.ClientUrls.Length > 0);
        return (isStarted, facts.Rule) switch
        {
            (true, _) => $"{finding.Title} knows this member as one that has been started before",
            (false, BootstrapRule.Quorum) => null,
            _ => $"{finding.Title} is etcd, which cannot say that it is empty: start with --initial-cluster-state=existing to join it, or with --bootstrap=quorum to found a cluster with it",
        };
    }

    private static string Describe(Standing standing) => standing switch
    {
        Standing.Empty => "empty",
        Standing.Founding => "about to found a cluster",
        Standing.Member => "the member of a cluster",
        Standing.Evicted => "a member that was removed from a cluster for good",
        Standing.Fenced => "fenced from its cluster",
        _ => "not ready to say what it holds",
    };

    private static bool MayFollow(FoundingFacts facts, Handshake shown) => facts.IsJoining || IsOurs(facts, shown);

    private static bool IsOurs(FoundingFacts facts, Handshake shown) => shown.TokenHash.Span.SequenceEqual(facts.TokenHash.Span);

    private static bool AreSame(IEnumerable<string> left, IEnumerable<string> right) =>
        left.Order(StringComparer.Ordinal).SequenceEqual(right.Order(StringComparer.Ordinal), StringComparer.Ordinal);
}
