using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Server;
using Cairn.Server.Founding;
using Cairn.Server.Recovery;
using Cairn.State.Members;
using Xunit;

namespace Cairn.Tests.Server.Recovery;

/// <summary>What a member without a leader decides, of what it sees of members 1, 2 and 3, of which it is the first.</summary>
public sealed class RecoveryPlanTests
{
    private const ulong Cluster = 0xc;
    private static readonly RecoveryWish Anything = new() { ClusterId = Cluster, GivenUp = { 2, 3 } };

    [Fact]
    public void Whoever_is_silent_is_waited_for_without_a_person() =>
        Assert.Contains("m3 does not answer", Assert.IsType<RecoveryDecision.Wait>(Decide(Auto, Empty(2), Silent(3))).Reason, StringComparison.Ordinal);

    [Fact]
    public void Who_attests_that_he_is_empty_is_not_waited_for()
    {
        var found = Assert.IsType<RecoveryDecision.Found>(Decide(Auto, Empty(2), Empty(3)));
        Assert.Equal(2, found.Asked.Length);
        Assert.False(found.IsByHand);
    }

    [Fact]
    public void Who_has_moved_as_the_end_of_the_log_says_is_looked_for_there()
    {
        var there = new Voice("m3", ["http://there"]) { Url = "http://there", Shown = Shown(3, Standing.Empty, index: 0) };
        var elsewhere = Empty(3) with { Name = "" };

        Assert.IsType<RecoveryDecision.Found>(Decide(static facts => Auto(Moved(facts)), Empty(2), there));
        Assert.Contains("m3 does not answer", Assert.IsType<RecoveryDecision.Wait>(Decide(static facts => Auto(Moved(facts)), Empty(2), elsewhere)).Reason, StringComparison.Ordinal);

        static RecoveryFacts Moved(RecoveryFacts facts) => facts with { Members = [.. Members.Take(2), Members[2] with { PeerUrls = ["http://there"] }] };
    }

    [Fact]
    public void Who_answers_at_the_address_of_another_voter_attests_for_that_one_only()
    {
        // The disks of m2 and m3 were exchanged; where m3 was, and m2 is known now, nobody answers; the list of members names both addresses for both.
        var empty = new Voice("m3", ["http://m2", "http://m3"]) { Url = "http://m2", Shown = Shown(3, Standing.Empty, index: 0) };
        var decision = Decide(static facts => Auto(facts with
        {
            Members = [Members[0], Members[1] with { PeerUrls = ["http://m3"] }, Members[2] with { PeerUrls = ["http://m2"] }],
        }), empty with { Name = "m2" }, empty);

        Assert.Contains("m2 does not answer, m3 is empty", Assert.IsType<RecoveryDecision.Wait>(decision).Reason, StringComparison.Ordinal);
    }

    // The name of m2, which holds data, leads to the machine of m3, whose disk was replaced.
    [Fact]
    public void One_empty_directory_that_answers_at_two_addresses_attests_for_one_voter()
    {
        var decision = Decide(Auto, Empty(2) with { Shown = Shown(3, Standing.Empty, index: 0) }, Empty(3));

        Assert.Contains("m2 is not where it is looked for: m3 answers there, and is empty, m3 is empty", Assert.IsType<RecoveryDecision.Wait>(decision).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_directory_that_is_no_voters_attests_for_nobody() =>
        Assert.IsType<RecoveryDecision.Wait>(Decide(Auto, Empty(2) with { Shown = Shown(7, Standing.Empty, index: 0) }, Empty(3)));

    [Fact]
    public void Without_the_flag_only_a_person_decides()
    {
        Assert.IsType<RecoveryDecision.Wait>(Decide(static facts => facts, Empty(2), Empty(3)));
        Assert.True(Assert.IsType<RecoveryDecision.Found>(Decide(ByHand, Silent(2), Silent(3))).IsByHand);
    }

    [Fact]
    public void What_a_person_was_shown_is_the_least_that_is_founded_on() => Assert.IsType<RecoveryDecision.Wait>(
        Decide(static facts => facts with { Wish = new RecoveryWish { ClusterId = Cluster, LastTerm = 2, LastIndex = 11 } }, Silent(2), Silent(3)));

    [Fact]
    public void Whom_a_person_did_not_give_up_is_waited_for_even_if_he_holds_no_more() => Assert.Contains(
        "did not give up m2",
        Assert.IsType<RecoveryDecision.Wait>(Decide(static facts => facts with { Wish = new RecoveryWish { ClusterId = Cluster, GivenUp = { 3 } } }, Silent(2), Silent(3))).Reason,
        StringComparison.Ordinal);

    [Fact]
    public void Who_joined_and_was_not_told_yet_who_votes_founds_nothing() => Assert.Contains(
        "was not told", Assert.IsType<RecoveryDecision.Wait>(Decide(static facts =>
        {
            facts.Self.Members.Clear();
            return Auto(facts with { Members = [] });
        }, Empty(2), Silent(3))).Reason, StringComparison.Ordinal);

    [Fact]
    public void Only_what_is_known_to_be_committed_is_announced_as_kept()
    {
        var survey = Decide(static facts =>
        {
            (facts.Self.AppliedIndex, facts.Self.Revision) = (7, 5);
            return facts;
        }, Silent(2), Silent(3)).Survey!;

        Assert.Contains("up to index 10 of term 2, and knows index 7, revision 5, to be committed", survey.Loss, StringComparison.Ordinal);
        Assert.Equal(7UL, survey.Survivors.Single(static each => each.IsBest).AppliedIndex);
    }

    [Fact]
    public void A_decision_about_another_cluster_is_none() =>
        Assert.IsType<RecoveryDecision.Wait>(Decide(static facts => facts with { Wish = new RecoveryWish { ClusterId = 1 } }, Silent(2), Silent(3)));

    [Fact]
    public void A_majority_that_answers_elects_a_leader() =>
        Assert.Contains("elect", Assert.IsType<RecoveryDecision.Wait>(Decide(ByHand, Holds(2, index: 5), Silent(3))).Reason, StringComparison.Ordinal);

    [Fact]
    public void A_survivor_that_hears_a_leader_stops_it() => Assert.Contains(
        "hears leader", Assert.IsType<RecoveryDecision.Wait>(Decide(ByHand, Holds(4, index: 5, shown => shown.Leader = 2), Silent(2), Silent(3))).Reason, StringComparison.Ordinal);

    [Fact]
    public void A_survivor_that_knows_this_member_as_removed_stops_it() => Assert.Contains(
        "was removed", Assert.IsType<RecoveryDecision.Wait>(Decide(ByHand, Holds(4, index: 5, shown => shown.Removed.Add(1)), Silent(2), Silent(3))).Reason, StringComparison.Ordinal);

    [Fact]
    public void The_decision_goes_to_whoever_holds_more() =>
        Assert.Equal("http://m4", Assert.IsType<RecoveryDecision.HandOn>(Decide(ByHand, Holds(4, index: 11), Silent(2), Silent(3))).Url);

    [Fact]
    public void A_member_of_the_epoch_that_followed_is_given_way_to() => Assert.IsType<RecoveryDecision.GiveWay>(Decide(ByHand, Holds(2, index: 1, shown =>
    {
        shown.ClusterId = 0xe;
        shown.FormerEpochs.Add(Cluster);
    }), Silent(3)));

    [Fact]
    public void A_promise_is_taken_back_when_a_majority_is_back()
    {
        var promise = new EpochPromise { Epoch = 0xe, Former = Cluster, Founder = 101 };
        Assert.IsType<RecoveryDecision.Withdraw>(Decide(facts => WithPromise(facts, promise), Holds(2, index: 5), Silent(3)));
        Assert.IsType<RecoveryDecision.Withdraw>(Decide(facts => WithPromise(facts, new EpochPromise(promise) { Founder = 102 }), Holds(2, index: 11), Silent(3)));
        Assert.IsType<RecoveryDecision.Wait>(Decide(facts => WithPromise(facts, new EpochPromise(promise) { Founder = 103 }), Holds(2, index: 5), Silent(3)));
    }

    private static RecoveryFacts Auto(RecoveryFacts facts) => facts with { Mode = RecoverMode.Auto, AutoAfter = TimeSpan.FromSeconds(1) };

    private static RecoveryFacts ByHand(RecoveryFacts facts) => facts with { Wish = Anything };

    private static RecoveryFacts WithPromise(RecoveryFacts facts, EpochPromise promise)
    {
        facts.Self.Promise = promise;
        return facts;
    }

    private static RecoveryDecision Decide(Func<RecoveryFacts, RecoveryFacts> change, params Voice[] voices) => RecoveryPlan.Next(change(new RecoveryFacts
    {
        Self = Shown(1, Standing.Member, index: 10),
        Members = Members,
        Voices = [.. voices],
    }));

    private static ImmutableArray<MemberRecord> Members =>
        [.. Enumerable.Range(1, 3).Select(static id => new MemberRecord { Id = (ulong)id, Name = $"m{id}", PeerUrls = [$"http://m{id}"], Incarnation = 100 + (ulong)id })];

    private static Voice Silent(ulong id) => new($"m{id}", [$"http://m{id}"]);

    private static Voice Empty(ulong id) => Silent(id) with { Url = $"http://m{id}", Shown = Shown(id, Standing.Empty, index: 0) };

    private static Voice Holds(ulong id, ulong index, Action<Handshake>? change = null)
    {
        var shown = Shown(id, Standing.Member, index);
        change?.Invoke(shown);
        return Silent(id) with { Url = $"http://m{id}", Shown = shown };
    }

    private static Handshake Shown(ulong id, Standing standing, ulong index)
    {
        var shown = new Handshake
        {
            Name = $"m{id}",
            ClusterId = standing == Standing.Member ? Cluster : 0,
            MemberId = standing == Standing.Member ? id : 0,
            Incarnation = 100 + id,
            Standing = standing,
            AppliedIndex = index,
            Held = new DurableEnd { Term = 2, LastTerm = 2, LastIndex = index },
            LeaderlessMs = 5000,
        };
        shown.Members.AddRange(standing == Standing.Member ? Members.Select(FoundingRecords.Write) : []);
        return shown;
    }
}
