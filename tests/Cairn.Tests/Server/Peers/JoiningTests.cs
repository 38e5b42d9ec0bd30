using System.Text;
using Cairn.Server.Membership;
using Xunit;

namespace Cairn.Tests.Server.Peers;

public sealed class JoiningTests
{
    private const string TwoMembers =
        """[{"id":1,"peerURLs":["http://a:2380"],"name":"a","clientURLs":["http://a:2379"]},{"id":18446744073709551615,"peerURLs":["http://b:2380"],"name":""}]""";

    [Fact]
    public void A_member_finds_its_id_by_its_peer_URLs()
    {
        var found = Match(TwoMembers).Cluster!;

        Assert.Equal((9UL, ulong.MaxValue), (found.ClusterId, found.MemberId));
        Assert.Equal([1, ulong.MaxValue], found.Members.Select(member => member.Id));
    }

    [Theory]
    [InlineData("""[{"id":1,"peerURLs":["http://a:2380"]}]""", "has a cluster of 1 members, and the list has 2")]
    [InlineData("""[{"id":1,"peerURLs":["http://a:2380"]},{"id":2,"peerURLs":["http://c:2380"]}]""", "has a cluster without a member of this one's peer URLs")]
    public void A_cluster_that_does_not_expect_this_member_is_not_joined(string json, string reason)
    {
        var (found, said) = Match(json);

        Assert.Null(found);
        Assert.Equal(reason, said);
    }

    [Theory]
    [InlineData("""{"id":1}""")]
    [InlineData("404 page not found")]
    public void Other_text_is_no_membership(string json) => Assert.False(MemberPages.TryRead(Encoding.UTF8.GetBytes(json), out _));

    private static (FoundCluster? Cluster, string Reason) Match(string json)
    {
        Assert.True(MemberPages.TryRead(Encoding.UTF8.GetBytes(json), out var members));
        return Joining.Match(members, clusterId: 9, ["http://b:2380"], listed: 2);
    }
}
