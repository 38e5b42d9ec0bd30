using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Auth;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Auth;

/// <summary>Simple tokens where there are several members: F29.</summary>
public sealed class TokenClusterTests
{
    private static readonly TimeSpan Ttl = TimeSpan.FromSeconds(60);
    private static readonly AuthOptions Options = new() { BcryptCost = Bcrypt.CostMin, TokenTtl = Ttl };

    [Fact]
    public void A_token_is_valid_on_every_member_at_once_and_outlives_them_all() => ClusterWorld.Run(
        3,
        async world =>
        {
            await world.Nodes[0]!.PrepareAsync();
            var alice = await world.Nodes[0]!.TokenAsync("u", "pw");
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(NodeError.None, await world.Nodes[i]!.TryPutAsync($"a{i}", alice));
                Assert.Equal(NodeError.None, (await world.Nodes[i]!.RangeAsync(new RangeRequest { Key = Bytes("a0"), Serializable = true }, alice)).Error);
            }

            for (var i = 0; i < 3; i++)
            {
                await world.StopAsync(i);
                await world.StartAsync(i);
                await world.UntilAsync(() => world.FindLeader() >= 0 && world.Nodes[i]!.Ready.IsCompleted);
            }

            Assert.All(world.Nodes, node => Assert.NotNull(node));
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(NodeError.None, await world.Nodes[i]!.TryPutAsync($"a{i}", alice));
            }
        },
        Options);

    [Fact]
    public void A_token_that_is_used_at_one_member_lives_on_all_and_one_that_is_not_used_ends() => ClusterWorld.Run(
        3,
        async world =>
        {
            await world.Nodes[0]!.PrepareAsync();
            var used = await world.Nodes[0]!.TokenAsync("u", "pw");
            var unused = await world.Nodes[0]!.TokenAsync("u", "pw");
            var follower = Enumerable.Range(0, 3).First(i => i != world.FindLeader());
            for (var i = 0; i < 6; i++)
            {
                await world.PassAsync(Ttl * 0.9);
                Assert.Equal(NodeError.None, await world.Nodes[follower]!.TryPutAsync("a", used));
            }

            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(NodeError.None, await world.Nodes[i]!.TryPutAsync("a", used));
                Assert.Equal(NodeError.InvalidAuthToken, await world.Nodes[i]!.TryPutAsync("a", unused));
            }

            await world.PassAsync(2 * Ttl);
            Assert.Equal(NodeError.InvalidAuthToken, await world.Nodes[follower]!.TryPutAsync("a", used));
        },
        Options);

    [Fact]
    public void A_request_that_meets_a_change_of_roles_on_its_way_is_tried_again_by_the_server() => ClusterWorld.Run(
        3,
        async world =>
        {
            await world.Nodes[0]!.PrepareAsync();
            var leader = world.Nodes[world.FindLeader()]!;
            var follower = world.Nodes.First(node => node != leader)!;
            var root = await leader.TokenAsync("root", "rootpw");
            var alice = await leader.TokenAsync("u", "pw");
            Assert.Equal(NodeError.None, await follower.TryPutAsync("a", alice));

            for (var i = 0; i < 20; i++)
            {
                var change = leader.Auth.ChangeAsync<AuthRoleAddResponse>(new AuthRoleAddRequest { Name = $"role {i}" }, root);
                var put = follower.TryPutAsync("a", alice);
                Assert.Equal(NodeError.None, (await change).Error);
                Assert.Equal(NodeError.None, await put);
            }
        },
        Options);
}
