using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Xunit;

namespace Cairn.Tests.Grpc.Calling;

public sealed class GrpcStreamTests
{
    private static readonly GrpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse> KeepAlive =
        new("/etcdserverpb.Lease/LeaseKeepAlive", LeaseKeepAliveResponse.Parser);

    [Fact]
    public async Task Messages_go_both_ways_in_turn_until_the_server_ends_the_call()
    {
        using var channel = Channel(static async call =>
        {
            for (var i = 0; i < 3; i++)
            {
                var request = await call.ReadAsync(LeaseKeepAliveRequest.Parser);
                await call.WriteAsync(new LeaseKeepAliveResponse { ID = request.ID, TTL = i });
            }

            call.End(GrpcStatusCode.Ok);
        });
        await using var stream = channel.Open(KeepAlive);

        for (var i = 0; i < 3; i++)
        {
            await stream.WriteAsync(new LeaseKeepAliveRequest { ID = 10 + i });
            Assert.Equal(new LeaseKeepAliveResponse { ID = 10 + i, TTL = i }, await stream.ReadAsync());
        }

        Assert.Null(await stream.ReadAsync());
    }

    [Fact]
    public async Task The_server_sees_the_end_of_writing_and_may_go_on()
    {
        using var channel = Channel(static async call =>
        {
            await call.ReadAsync(LeaseKeepAliveRequest.Parser);
            await Assert.ThrowsAsync<InvalidOperationException>(() => call.ReadAsync(LeaseKeepAliveRequest.Parser));
            await call.WriteAsync(new LeaseKeepAliveResponse { ID = 1 });
            call.End(GrpcStatusCode.Ok);
        });
        await using var stream = channel.Open(KeepAlive);

        await stream.WriteAsync(new LeaseKeepAliveRequest { ID = 1 });
        stream.CompleteWriting();

        Assert.Equal(1, (await stream.ReadAsync())?.ID);
        Assert.Null(await stream.ReadAsync());
    }

    [Fact]
    public async Task The_reader_gets_the_status_with_which_the_server_ended_the_call()
    {
        using var channel = Channel(static async call =>
        {
            await call.WriteAsync(new LeaseKeepAliveResponse { ID = 1 });
            call.End(GrpcStatusCode.Unavailable, "etcdserver: no leader");
        });
        await using var stream = channel.Open(KeepAlive);

        Assert.Equal(1, (await stream.ReadAsync())?.ID);
        var ended = await Assert.ThrowsAsync<GrpcException>(async () => await stream.ReadAsync());

        Assert.Equal(new GrpcStatus(GrpcStatusCode.Unavailable, "etcdserver: no leader"), ended.Status);
    }

    [Fact]
    public async Task Writer_and_reader_of_a_connection_that_cannot_be_made_both_fail()
    {
        using var channel = Channel(static _ => throw new HttpRequestException(HttpRequestError.ConnectionError, "refused"));
        await using var stream = channel.Open(KeepAlive);

        Assert.True((await Assert.ThrowsAsync<GrpcException>(async () => await stream.ReadAsync())).NeverSent);
    }

    [Fact]
    public async Task A_write_after_the_connection_is_gone_fails_as_the_call_did()
    {
        var calls = new List<ScriptedCall>();
        using var channel = Channel(call =>
        {
            calls.Add(call);
            throw new HttpRequestException(HttpRequestError.ConnectionError, "refused");
        });
        await using var stream = channel.Open(KeepAlive);
        await Assert.ThrowsAsync<GrpcException>(async () => await stream.ReadAsync());
        await calls[0].RequestEnded;

        var failure = await Assert.ThrowsAsync<GrpcException>(async () => await stream.WriteAsync(new LeaseKeepAliveRequest { ID = 1 }));

        Assert.Equal(GrpcStatusCode.Unavailable, failure.Status.Code);
    }

    [Fact]
    public async Task Cancellation_ends_a_read_that_waits()
    {
        using var given = new CancellationTokenSource();
        using var channel = Channel(static call => Task.Delay(Timeout.Infinite, call.Cancelled));
        await using var stream = channel.Open(KeepAlive, new GrpcCallOptions { Cancelled = given.Token });
        var reading = stream.ReadAsync();

        await given.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reading);
    }

    [Fact]
    public async Task Disposing_ends_the_call_for_the_server()
    {
        var ended = new TaskCompletionSource();
        using var channel = Channel(call =>
        {
            call.Cancelled.Register(ended.SetResult);
            return call.WriteAsync(new LeaseKeepAliveResponse { ID = 1 });
        });
        var stream = channel.Open(KeepAlive);
        await stream.ReadAsync();

        await stream.DisposeAsync();
        await stream.DisposeAsync();

        await ended.Task;
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stream.ReadAsync());
    }

    private static GrpcChannel Channel(Func<ScriptedCall, Task> script) =>
        new(new Uri("http://server:2379"), new GrpcChannelOptions(), new ScriptedServer(script));
}
