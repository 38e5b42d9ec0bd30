using Cairn.Protocol.Peers;
using Cairn.Server;
using Cairn.Server.Founding;
using Xunit;
using static Cairn.Tests.Server.Founding.Scene;

namespace Cairn.Tests.Server.Founding;

public sealed class FoundingPlanTests
{
    [Fact]
    public void Whoever_does_not_answer_is_waited_for_by_name()
    {
        var decision = Decide(Facts(Silent("b"), Empty("c", 3)));

        var wait = Assert.IsType<FoundingDecision.Wait>(decision);
        Assert.Contains("b (http://b:2380) does not answer", wait.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("c (", wait.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_is_to_join_and_was_told_of_nobody_says_so() => Assert.Contains(
        "names nobody but this member", Assert.IsType<FoundingDecision.Wait>(Decide(Facts() with { IsJoining = true })).Reason, StringComparison.Ordinal);

    [Fact]
    public void When_all_are_empty_their_incarnations_are_agreed_to_first()
    {
        var agree = Assert.IsType<FoundingDecision.Agree>(Decide(Facts(Empty("b", 2), Empty("c", 3))));

        Assert.Equal([("a", 1UL), ("b", 2UL), ("c", 3UL)], agree.Record.Members.Select(member => (member.Name, member.Incarnation)).Order());
    }

    [Fact]
    public void Nobody_starts_before_every_listed_member_has_agreed()
    {
        var record = Record(1, 2, 3);

        var wait = Assert.IsType<FoundingDecision.Wait>(Decide(Facts(Agreed("b", 2, record), Empty("c", 3)) with { Agreed = record }));
        Assert.Contains("c (http://c:2380)", wait.Reason, StringComparison.Ordinal);
        Assert.Equal(record, Assert.IsType<FoundingDecision.Start>(Decide(Facts(Agreed("b", 2, record), Agreed("c", 3, record)) with { Agreed = record })).Record);
    }

    [Fact]
    public void A_founder_that_comes_late_follows_the_record_that_names_it()
    {
        var record = Record(1, 2, 3);

        Assert.Equal(record, Assert.IsType<FoundingDecision.Start>(Decide(Facts(Member("b", 2, record), Silent("c")))).Record);
        Assert.Equal(record, Assert.IsType<FoundingDecision.Start>(Decide(Facts(Member("b", 2, record), Silent("c")) with { Agreed = Record(1, 2, 9) })).Record);
    }

    [Fact]
    public void A_wiped_member_asks_for_its_place_and_never_founds()
    {
        var ask = Assert.IsType<FoundingDecision.AskForPlace>(Decide(Facts(Member("b", 2, Record(7, 2, 3)), Empty("c", 3))));

        Assert.Equal((Scene.IdOf("a"), "http://b:2380"), (ask.ReplacedId, ask.Url));
    }

    [Fact]
    public void A_place_that_nobody_ever_started_in_is_taken_by_the_first_empty_directory_with_its_URL()
    {
        var added = new KnownMember { Id = 77, PeerUrls = { "http://a:2380" } };
        var join = Assert.IsType<FoundingDecision.Join>(Decide(Facts(Member("b", 2, Record(7, 2, 3), added), Silent("c"))));
        Assert.Equal(77UL, join.Cluster.MemberId);

        added.HasStarted = true;
        Assert.IsType<FoundingDecision.AskForPlace>(Decide(Facts(Member("b", 2, Record(7, 2, 3), added), Silent("c"))));
    }

    [Fact]
    public void A_place_that_was_made_for_this_directory_is_taken()
    {
        var added = new KnownMember { Id = 77, PeerUrls = { "http://elsewhere:2380" }, Incarnation = 1 };

        Assert.Equal(77UL, Assert.IsType<FoundingDecision.Join>(Decide(Facts(Member("b", 2, Record(7, 2, 3), added)))).Cluster.MemberId);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Another_token_is_foreign_unless_it_is_told_to_join(bool isJoining)
    {
        var foreign = Member("b", 2, Record(1, 2, 3));
        foreign.Shown!.TokenHash = Google.Protobuf.ByteString.CopyFrom(FoundingRecords.HashToken("other"));

        var decision = Decide(Facts(foreign, Empty("c", 3)) with { IsJoining = isJoining });

        Assert.Equal(isJoining, decision is FoundingDecision.Start);
        Assert.Equal(!isJoining, decision is FoundingDecision.Wait { Reason: var reason } && reason.Contains("b (http://b:2380) has another token", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Standing.Evicted)]
    [InlineData(Standing.Fenced)]
    [InlineData(Standing.Unknown)]
    public void Nothing_is_founded_beside_a_directory_that_holds_something(Standing standing)
    {
        var other = Empty("b", 2);
        other.Shown!.Standing = standing;

        Assert.IsType<FoundingDecision.Wait>(Decide(Facts(other, Empty("c", 3))));
    }

    [Fact]
    public void Lists_names_and_directories_that_do_not_fit_are_named()
    {
        var otherList = Empty("b", 2);
        otherList.Shown!.Listed.RemoveAt(0);
        var otherName = Empty("b", 2);
        otherName.Shown!.Name = "x";

        Assert.Contains("another list", Reason(otherList), StringComparison.Ordinal);
        Assert.Contains("answered by x", Reason(otherName), StringComparison.Ordinal);
        Assert.Contains("a copy of its data directory", Reason(Empty("b", 1)), StringComparison.Ordinal);

        Assert.Contains("b and c are one process", Reason(Empty("b", 3)), StringComparison.Ordinal);

        static string Reason(Finding finding) => Assert.IsType<FoundingDecision.Wait>(Decide(Facts(finding, Empty("c", 3)))).Reason;
    }

    [Fact]
    public void Who_is_to_join_never_founds() =>
        Assert.IsType<FoundingDecision.Wait>(Decide(Facts(Empty("b", 2), Empty("c", 3)) with { IsJoining = true }));

    [Fact]
    public void A_member_of_etcd_is_joined_only_on_request()
    {
        var etcd = new Finding("b", "http://b:2380") { EtcdMembers = Listed, EtcdClusterId = 9 };

        Assert.Equal(9UL, Assert.IsType<FoundingDecision.Join>(Decide(Facts(etcd, Silent("c")) with { IsJoining = true })).Cluster.ClusterId);
        Assert.Contains("is etcd", Assert.IsType<FoundingDecision.Wait>(Decide(Facts(etcd, Empty("c", 3)))).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void By_the_rule_of_the_quorum_most_are_enough_and_all_founders_record_the_same()
    {
        var start = Assert.IsType<FoundingDecision.Start>(Decide(Facts(Silent("b"), Empty("c", 3)) with { Rule = BootstrapRule.Quorum }));
        Assert.All(start.Record.Members, member => Assert.Equal(0UL, member.Incarnation));

        Assert.IsType<FoundingDecision.Wait>(Decide(Facts(Silent("b"), Silent("c")) with { Rule = BootstrapRule.Quorum }));
        var etcd = new Finding("b", "http://b:2380") { EtcdMembers = Listed, EtcdClusterId = 9 };
        Assert.IsType<FoundingDecision.Start>(Decide(Facts(etcd, Silent("c")) with { Rule = BootstrapRule.Quorum }));
        var started = etcd with { EtcdMembers = [.. Listed.Select(member => member with { ClientUrls = ["http://x"] })] };
        Assert.IsType<FoundingDecision.Wait>(Decide(Facts(started, Empty("c", 3)) with { Rule = BootstrapRule.Quorum }));
    }

    [Fact]
    public void Who_is_alone_in_its_list_founds_after_it_has_listened()
    {
        var alone = Facts() with { Listed = [.. Listed.Where(member => member.Name == "a")] };

        Assert.IsType<FoundingDecision.Wait>(Decide(alone with { HasListened = false }));
        Assert.Single(Assert.IsType<FoundingDecision.Start>(Decide(alone)).Record.Members);
        var caller = Member("b", 2, Record(7, 2, 3)) with { Name = "" };
        Assert.IsType<FoundingDecision.AskForPlace>(Decide(alone with { Findings = [caller] }));
    }

    [Fact]
    public void Whoever_knows_most_of_the_cluster_is_followed()
    {
        var old = Member("b", 2, Record(7, 2, 3));
        var late = Member("c", 3, Record(7, 2, 3), new KnownMember { Id = 77, PeerUrls = { "http://a:2380" } });
        late.Shown!.AppliedIndex = 10;

        Assert.IsType<FoundingDecision.Join>(Decide(Facts(old, late)));
    }

    private static FoundingDecision Decide(FoundingFacts facts) => FoundingPlan.Decide(facts);
}
