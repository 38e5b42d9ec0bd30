using System.Text;
using Cairn.Server;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Xunit;

namespace Cairn.Tests.Server.Peers;

public sealed class JoiningTests
{
    private const string TwoMembers =
        """[{"id":1,"peerURLs":["http://a:2380"],"name":"a","clientURLs":["http://a:2379"]},{"id":18446744073709551615,"peerURLs":["http://b:2380"],"name":""}]""";

    private static readonly NodeOptions Options = new()
    {
        Name = "b",
        PeerUrls = ["http://b:2380"],
        InitialCluster = [new("a", ["http://a:2380"]), new("b", ["http://b:2380"])],
        IsJoining = true,
    };

    [Fact]
    public void A_member_finds_its_id_by_its_peer_URLs()
    {
        Assert.True(Joining.TryMatch(Answer(TwoMembers), Options, out var found, out _));

        Assert.Equal((9UL, ulong.MaxValue), (found.ClusterId, found.MemberId));
        Assert.Equal([1, ulong.MaxValue], found.Members.Select(member => member.Id));
    }

    [Theory]
    [InlineData("""[{"id":1,"peerURLs":["http://a:2380"]}]""", "the cluster has 1 members, the list 2")]
    [InlineData("""[{"id":1,"peerURLs":["http://a:2380"]},{"id":2,"peerURLs":["http://c:2380"]}]""", "the cluster has no member with the peer URLs of this one")]
    [InlineData("""{"id":1}""", "the answer is not that of a member")]
    [InlineData("404 page not found", "the answer is not that of a member")]
    public void An_answer_that_does_not_expect_this_member_is_not_taken(string json, string reason)
    {
        Assert.False(Joining.TryMatch(Answer(json), Options, out _, out var said));

        Assert.Equal(reason, said);
    }

    [Fact]
    public void An_answer_without_a_cluster_is_not_taken()
    {
        Assert.False(Joining.TryMatch(Answer(TwoMembers) with { ClusterId = 0 }, Options, out _, out _));
    }

    private static PeerAnswer Answer(string json) => new(200, Encoding.UTF8.GetBytes(json)) { ClusterId = 9 };
}
