using Cairn.Grpc;
using Cairn.Protocol;
using Cairn.Tests.Grpc.Calling;
using Xunit;

namespace Cairn.Tests.Client;

public sealed class LeaseKeeperTests
{
    [Fact]
    public async Task A_lease_is_renewed_at_another_member_when_one_fails()
    {
        var renewed = new TaskCompletionSource();
        await using var cluster = new ScriptedCluster(2)
            .Member(1, GrpcStatusCode.Unavailable, "gone")
            .Member(2, Renewing(ttl: 100_000, onRenewal: renewed.SetResult));
        await using var keeper = cluster.Client.Lease.KeepAlive(7, 100_000);

        await renewed.Task;

        Assert.False(keeper.Lost.IsCancellationRequested);
        Assert.Equal(["1/LeaseKeepAlive", "2/LeaseKeepAlive"], cluster.Calls);
    }

    [Fact]
    public async Task A_member_that_hangs_is_left_for_another_while_the_lease_lives()
    {
        var renewed = new TaskCompletionSource();
        await using var cluster = new ScriptedCluster(2).Member(2, Renewing(ttl: 100_000, onRenewal: renewed.SetResult));
        cluster.Member(1, async call =>
        {
            await call.ReadAsync(LeaseKeepAliveRequest.Parser);
            cluster.Time.Advance(TimeSpan.FromSeconds(3));
            await Task.Delay(Timeout.Infinite, call.Cancelled);
        });
        await using var keeper = cluster.Client.Lease.KeepAlive(7, 9);

        await renewed.Task;

        Assert.False(keeper.Lost.IsCancellationRequested);
        Assert.Equal(["1/LeaseKeepAlive", "2/LeaseKeepAlive"], cluster.Calls);
    }

    [Fact]
    public async Task A_lease_that_the_server_does_not_know_is_lost()
    {
        await using var cluster = new ScriptedCluster(1).Member(1, Renewing(ttl: 0, onRenewal: static () => { }));
        await using var keeper = cluster.Client.Lease.KeepAlive(7, 100_000);
        var lost = new TaskCompletionSource();
        await using var registration = keeper.Lost.Register(lost.SetResult);

        await lost.Task;
    }

    [Fact]
    public async Task A_lease_that_nobody_confirms_for_its_time_is_lost()
    {
        await using var cluster = new ScriptedCluster(2).DeadMember(1).DeadMember(2);
        await using var keeper = cluster.Client.Lease.KeepAlive(7, 10);
        var lost = new TaskCompletionSource();
        await using var registration = keeper.Lost.Register(lost.SetResult);

        await lost.Task;

        Assert.InRange(cluster.Calls.Count(), 10, 25);
    }

    private static Func<ScriptedCall, Task> Renewing(long ttl, Action onRenewal) => async call =>
    {
        var request = await call.ReadAsync(LeaseKeepAliveRequest.Parser);
        await call.WriteAsync(new LeaseKeepAliveResponse { ID = request.ID, TTL = ttl });
        onRenewal();
        await Task.Delay(Timeout.Infinite, call.Cancelled);
    };
}
