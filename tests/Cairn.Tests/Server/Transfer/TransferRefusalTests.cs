using Cairn.Protocol.Transfer;
using Cairn.Server.Peers;
using Cairn.Server.Transfer;
using Cairn.Tests.Server.Simulated;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Server.Transfer;

/// <summary>Whatever comes instead of a chunk is refused and changes nothing; the next attempt succeeds.</summary>
public sealed class TransferRefusalTests
{
    [Theory]
    [InlineData("garbled")]
    [InlineData("truncated")]
    [InlineData("repeated")]
    [InlineData("skipped")]
    [InlineData("of another session")]
    [InlineData("no chunk")]
    [InlineData("refused")]
    public void A_chunk_that_is_not_the_one_asked_for_is_refused_and_the_member_is_fed_all_the_same(string what) => ClusterWorld.Run(3, async world =>
    {
        var (leader, behind) = await StateTransferTests.LeaveBehindAsync(world);
        var old = (Revision: 0L, Tampered: 0, Chunks: new List<ReadOnlyMemory<byte>>());
        world.Tamper = (call, answer) =>
        {
            if (call.Path != StateTransfer.PullPath || answer.Status != 200 || answer.Body.IsEmpty)
            {
                return answer;
            }

            old.Chunks.Add(answer.Body.ToArray());
            if (old.Chunks.Count != 10)
            {
                return answer;
            }

            old.Tampered++;
            return what == "refused" ? PeerAnswer.Refuse(500, "no") : answer with { Body = Spoil(what, old.Chunks) };
        };

        await world.StartAsync(behind);

        await world.UntilAsync(() => StateTransferTests.IsInSync(world));
        Assert.Equal(1, old.Tampered);
        Assert.Equal(await StateTransferTests.HashAsync(leader), await StateTransferTests.HashAsync(world.Nodes[behind]!));
        var received = world.Nodes[behind]!.CollectMetrics().Where(sample => sample.Name.StartsWith("etcd_network_snapshot_receive", StringComparison.Ordinal)).ToList();
        Assert.Equal(1, received.Single(sample => sample.Name.EndsWith("_failures", StringComparison.Ordinal)).Value);
        Assert.Equal(1, received.Single(sample => sample.Name.EndsWith("_success", StringComparison.Ordinal)).Value);
    }, catchUpEntries: 10);

    [Fact]
    public void A_sender_that_dies_in_the_middle_is_replaced_by_the_next_leader() => ClusterWorld.Run(5, async world =>
    {
        var (_, behind) = await StateTransferTests.LeaveBehindAsync(world);
        var sender = world.FindLeader();
        await world.StartAsync(behind);
        await world.UntilAsync(() => world.Asked.GetValueOrDefault(StateTransfer.PullPath) > 5);

        await world.StopAsync(sender);

        await world.UntilAsync(() => world.FindLeader() >= 0
            && world.Nodes[behind]!.Look().AppliedIndex == world.Nodes[world.FindLeader()]!.Look().AppliedIndex);
        var next = world.Nodes[world.FindLeader()]!;
        Assert.Equal(await StateTransferTests.HashAsync(next), await StateTransferTests.HashAsync(world.Nodes[behind]!));
    }, catchUpEntries: 10);

    [Fact]
    public void A_member_of_another_cluster_gets_nothing() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.Nodes[world.FindLeader()]!;
        var pull = new StatePull { ClusterId = leader.ClusterId + 1, MemberId = 7, Format = 1 };
        var answer = await leader.AnswerPeerAsync(new PeerCall(StateTransfer.PullPath, pull.ToByteArray()), default);
        Assert.Equal((412, "cluster ID mismatch"), (answer.Status, answer.Text));

        pull.ClusterId = leader.ClusterId;
        answer = await leader.AnswerPeerAsync(new PeerCall(StateTransfer.PullPath, pull.ToByteArray()), default);
        Assert.Equal(404, answer.Status);

        answer = await leader.AnswerPeerAsync(new PeerCall(StateTransfer.PullPath, new byte[] { 0xFF, 0xFF }), default);
        Assert.Equal(400, answer.Status);
    });

    private static byte[] Spoil(string what, List<ReadOnlyMemory<byte>> chunks)
    {
        var bytes = chunks[^1].ToArray();
        switch (what)
        {
            case "garbled":
                bytes[bytes.Length / 2] ^= 4;
                return bytes;
            case "truncated":
                return bytes[..(bytes.Length / 2)];
            case "repeated":
                return chunks[^2].ToArray();
            case "no chunk":
                return [1, 2, 3];
            default:
                var chunk = StateChunk.Parser.ParseFrom(bytes);
                chunk.Sequence += what == "skipped" ? 1u : 0u;
                chunk.Session += what == "skipped" ? 0u : 1u;
                return chunk.ToByteArray();
        }
    }
}
