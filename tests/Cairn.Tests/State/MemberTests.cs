using System.Buffers;
using System.Text;
using Cairn.Protocol;
using Cairn.Protocol.Membership;
using Cairn.State;
using Cairn.State.Members;
using Cairn.State.Persistence;
using Xunit;

namespace Cairn.Tests.State;

public sealed class MemberTests
{
    private const ulong AddNode = 0;
    private const ulong RemoveNode = 1;
    private const ulong UpdateNode = 2;
    private const ulong AddLearnerNode = 3;

    private readonly Machine _machine = new();

    [Fact]
    public void The_first_members_come_by_configuration_entries()
    {
        Assert.Equal(StoreError.None, Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"],"name":"a"}"""));
        Assert.Equal(StoreError.None, Change(AddNode, ulong.MaxValue, """{"id":18446744073709551615,"peerURLs":["http://b:2380"]}"""));

        Assert.Equal([1UL, ulong.MaxValue], _machine.View.Members.Voters);
        Assert.Equal("a", _machine.View.Members.Find(1)!.Name);
    }

    [Fact]
    public void Changes_that_cannot_be_are_refused_and_say_so_to_the_raft_node()
    {
        Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"]}""");
        Change(AddNode, 2, """{"id":2,"peerURLs":["http://b:2380"]}""");

        Assert.Equal(StoreError.MemberExists, Change(AddNode, 1, """{"id":1,"peerURLs":["http://z:2380"]}"""));
        Assert.Equal(StoreError.PeerUrlExists, Change(AddNode, 3, """{"id":3,"peerURLs":["http://z:2380","http://b:2380"]}"""));
        Assert.Equal(StoreError.PeerUrlExists, Change(UpdateNode, 1, """{"id":1,"peerURLs":["http://b:2380"]}"""));
        Assert.Equal(StoreError.MemberNotFound, Change(UpdateNode, 9, """{"id":9,"peerURLs":["http://z:2380"]}"""));
        Assert.Equal(StoreError.MemberNotFound, Change(RemoveNode, 9, ""));
        Assert.Equal(StoreError.MemberNotFound, Change(AddNode, 9, """{"id":9,"peerURLs":null,"isPromote":true}"""));
        Assert.Equal(StoreError.MemberNotLearner, Change(AddNode, 2, """{"id":2,"peerURLs":null,"isPromote":true}"""));
        Assert.Equal([1UL, 2UL], _machine.View.Members.Voters);
    }

    [Fact]
    public void The_last_voter_stays()
    {
        Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"]}""");
        Change(AddNode, 2, """{"id":2,"peerURLs":["http://b:2380"]}""");
        Change(AddLearnerNode, 3, """{"id":3,"peerURLs":["http://c:2380"],"isLearner":true}""");

        Assert.Equal(StoreError.None, Change(RemoveNode, 1, ""));
        Assert.Equal(StoreError.NotEnoughStartedMembers, Change(RemoveNode, 2, ""));
        Assert.Equal(StoreError.None, Change(RemoveNode, 3, ""));
        Assert.Equal([2UL], _machine.View.Members.Voters);
    }

    [Fact]
    public void A_removed_id_never_comes_back()
    {
        Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"]}""");
        Change(AddNode, 2, """{"id":2,"peerURLs":["http://b:2380"]}""");
        Change(RemoveNode, 1, "");

        Assert.Equal(StoreError.MemberNotFound, Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"]}"""));
        Assert.Equal([1UL], _machine.View.Members.Removed);
    }

    [Fact]
    public void Learners_are_counted_and_promoted()
    {
        Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"]}""");
        Assert.Equal(StoreError.None, Change(AddLearnerNode, 2, """{"id":2,"peerURLs":["http://b:2380"],"isLearner":true}"""));
        Assert.Equal(StoreError.TooManyLearners, Change(AddLearnerNode, 3, """{"id":3,"peerURLs":["http://c:2380"],"isLearner":true}"""));

        Assert.Equal(StoreError.None, Change(AddNode, 2, """{"id":2,"peerURLs":null,"isPromote":true}"""));

        Assert.Equal([1UL, 2UL], _machine.View.Members.Voters);
        Assert.Equal(["http://b:2380"], _machine.View.Members.Find(2)!.PeerUrls);
    }

    [Fact]
    public void Bug_21736_an_update_of_a_learner_does_not_promote_it()
    {
        Change(AddLearnerNode, 2, """{"id":2,"peerURLs":["http://b:2380"],"isLearner":true}""");

        Change(UpdateNode, 2, """{"id":2,"peerURLs":["http://x:2380"]}""");

        var member = _machine.View.Members.Find(2)!;
        Assert.True(member.IsLearner);
        Assert.Equal(["http://x:2380"], member.PeerUrls);
    }

    [Fact]
    public void Attributes_and_the_cluster_version_come_in_three_forms()
    {
        Change(AddNode, 26, """{"id":26,"peerURLs":["http://a:2380"]}""");

        var attributes = new Attributes { Name = "n1", ClientUrls = { "http://c1" } };
        _machine.Apply(new InternalRaftRequest { ClusterMemberAttrSet = new ClusterMemberAttrSetRequest { MemberID = 26, MemberAttributes = attributes } });
        Assert.Equal(("n1", "http://c1"), (_machine.View.Members.Find(26)!.Name, _machine.View.Members.Find(26)!.ClientUrls[0]));

        _machine.ApplyRaw(V2Request("PUT", "/0/members/1a/attributes", """{"name":"n2","clientURLs":["http://c2"]}"""));
        Assert.Equal(("n2", "http://c2"), (_machine.View.Members.Find(26)!.Name, _machine.View.Members.Find(26)!.ClientUrls[0]));

        var embedded = new ArrayBufferWriter<byte>();
        new WireWriter(embedded).Bytes(2, V2Request("PUT", "/0/version", "3.5.0"));
        _machine.ApplyRaw(embedded.WrittenSpan.ToArray());
        Assert.Equal("3.5.0", _machine.View.Members.ClusterVersion);
        _machine.Apply(new InternalRaftRequest { ClusterVersionSet = new ClusterVersionSetRequest { Ver = "3.6.0" } });
        Assert.Equal("3.6.0", _machine.View.Members.ClusterVersion);
    }

    [Fact]
    public void Requests_of_the_v2_api_without_a_meaning_change_nothing()
    {
        var result = _machine.ApplyRaw(V2Request("SYNC", "", ""));

        Assert.Equal((StoreError.None, 42UL), (result.Error, result.RequestId));
        Assert.Equal(1, _machine.View.Revision);
    }

    [Fact]
    public void Bytes_that_are_no_request_stop_the_member()
    {
        Assert.Throws<Cairn.Storage.CorruptionException>(() => _machine.ApplyRaw([0x0B]));
        Assert.Throws<Cairn.Storage.CorruptionException>(() => _machine.ApplyRaw([0x10, 0x63], EntryKind.ConfChange));
    }

    [Fact]
    public async Task Members_survive_a_restart()
    {
        Change(AddNode, 1, """{"id":1,"peerURLs":["http://a:2380"],"name":"a","clientURLs":["http://a:2379"]}""");
        Change(AddLearnerNode, 2, """{"id":2,"peerURLs":["http://b:2380"],"isLearner":true}""");
        Change(AddNode, 3, """{"id":3,"peerURLs":["http://c:2380"]}""");
        Change(AddNode, 4, """{"id":4,"peerURLs":["http://d:2380"],"cairnIncarnation":17}""");
        Change(RemoveNode, 3, "");
        _machine.Apply(new InternalRaftRequest { DowngradeInfoSet = new DowngradeInfoSetRequest { Enabled = true, Ver = "3.5.0" } });
        var before = _machine.View.Members;

        await _machine.ReopenAsync(checkpoint: null);

        var after = _machine.View.Members;
        Assert.Equal(before.Members.AsEnumerable(), after.Members);
        Assert.Equal(before.Removed.AsEnumerable(), after.Removed);
        Assert.Equal(new DowngradeJob("3.5.0"), after.Downgrade);
    }

    [Fact]
    public void The_first_incarnation_of_a_member_stays_whatever_it_publishes_later()
    {
        Change(AddNode, 26, """{"id":26,"peerURLs":["http://a:2380"]}""");
        Change(AddNode, 27, """{"id":27,"peerURLs":["http://b:2380"],"cairnIncarnation":18446744073709551615}""");

        foreach (var incarnation in new ulong[] { 0, 17, 18 })
        {
            var set = new ClusterMemberAttrSetRequest { MemberID = 26, MemberAttributes = new Attributes { Name = "n" }, CairnIncarnation = incarnation };
            _machine.Apply(new InternalRaftRequest { ClusterMemberAttrSet = set });
        }

        Assert.Equal(17UL, _machine.View.Members.Find(26)!.Incarnation);
        Assert.Equal(ulong.MaxValue, _machine.View.Members.Find(27)!.Incarnation);
    }

    [Fact]
    public void Member_json_is_what_etcd_writes()
    {
        var member = new MemberRecord { Id = ulong.MaxValue, PeerUrls = ["http://h:2380"], IsLearner = true, Name = "a&b", ClientUrls = ["http://h:2379"] };

        Assert.Equal(
            """{"id":18446744073709551615,"peerURLs":["http://h:2380"],"isLearner":true,"name":"a&b","clientURLs":["http://h:2379"]}""",
            Encoding.UTF8.GetString(MemberJson.Encode(member)));
        Assert.Equal("""{"id":5,"peerURLs":null,"isPromote":true}""", Encoding.UTF8.GetString(MemberJson.EncodePromotion(5)));
        Assert.True(MemberJson.TryParse(MemberJson.Encode(member), out var parsed, out var isPromotion));
        Assert.Equal((member, false), (parsed, isPromotion));
    }

    private StoreError Change(ulong type, ulong id, string context)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        writer.Number(1, 77);
        writer.Number(2, type);
        writer.Number(3, id);
        writer.Bytes(4, Encoding.UTF8.GetBytes(context));
        var result = _machine.ApplyRaw(buffer.WrittenSpan.ToArray(), EntryKind.ConfChange);
        Assert.Equal(77UL, result.RequestId);
        Assert.Equal(result.Error, Assert.IsType<MembersChanged>(result.Effect).Error);
        return result.Error;
    }

    private static byte[] V2Request(string method, string path, string value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        writer.Number(1, 42);
        writer.Bytes(2, Encoding.UTF8.GetBytes(method));
        writer.Bytes(3, Encoding.UTF8.GetBytes(path));
        writer.Bytes(4, Encoding.UTF8.GetBytes(value));
        writer.Raw([0x28, 0]);
        return buffer.WrittenSpan.ToArray();
    }
}
