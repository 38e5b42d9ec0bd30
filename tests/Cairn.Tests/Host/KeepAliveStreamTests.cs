using Cairn.Host.Api;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class KeepAliveStreamTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly GrpcLimits _limits = new(messageBytesMax: 1000, TimeProvider.System);
    private readonly List<Renewal> _begun = [];
    private readonly SemaphoreSlim _begins = new(0);

    public void Dispose()
    {
        _limits.Dispose();
        _begins.Dispose();
    }

    [Fact]
    public async Task Renewals_do_not_wait_for_those_before_them_and_are_answered_in_the_order_of_the_requests()
    {
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange);
        await SendAsync(exchange, 1, 3);
        Renewal[] begun = await BeginAsync(3);

        begun[2].Succeed();
        begun[1].Succeed();
        Assert.Empty(exchange.Answers(LeaseKeepAliveResponse.Parser));
        begun[0].Succeed();
        await exchange.Client.CompleteAsync();
        await serving.WaitAsync(Patience);

        Assert.Equal([1, 2, 3], exchange.Answers(LeaseKeepAliveResponse.Parser).Select(static answer => answer.ID));
        Assert.Equal("0", exchange.StatusCode);
    }

    [Fact]
    public async Task One_that_fails_ends_the_stream_with_its_error_and_takes_those_behind_it_along()
    {
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange);
        await SendAsync(exchange, 1, 4);
        Renewal[] begun = await BeginAsync(4);

        begun[3].Succeed();
        begun[1].Outcome.SetResult(NodeError.NoLeader);
        begun[0].Succeed();
        await serving.WaitAsync(Patience);

        Assert.Equal([1], exchange.Answers(LeaseKeepAliveResponse.Parser).Select(static answer => answer.ID));
        Assert.Equal("14", exchange.StatusCode);
        Assert.Equal("etcdserver: no leader", exchange.StatusMessage);
        Assert.True(begun[2].Outcome.Task.IsCompleted, "a renewal goes on in a call that has ended");
    }

    [Fact]
    public async Task So_many_are_under_way_at_a_time_and_no_more()
    {
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange);
        await SendAsync(exchange, 1, KeepAliveStream.UnderWayMax + 1);
        Renewal[] begun = await BeginAsync(KeepAliveStream.UnderWayMax);
        Assert.Equal(0, _begins.CurrentCount);

        begun[0].Succeed();
        Renewal last = Assert.Single(await BeginAsync(1));
        Assert.Equal(KeepAliveStream.UnderWayMax + 1, last.Id);
        Array.ForEach(begun[1..], static renewal => renewal.Succeed());
        last.Succeed();
        await exchange.Client.CompleteAsync();
        await serving.WaitAsync(Patience);

        Assert.Equal(KeepAliveStream.UnderWayMax + 1, exchange.Answers(LeaseKeepAliveResponse.Parser).Count);
    }

    [Fact]
    public async Task A_request_that_is_no_message_is_refused_after_those_before_it_were_answered()
    {
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange);
        await SendAsync(exchange, 1, 1);
        await exchange.SendBytesAsync([7, 0, 0, 0, 0], last: false);
        Assert.Single(await BeginAsync(1)).Succeed();
        await serving.WaitAsync(Patience);

        Assert.Single(exchange.Answers(LeaseKeepAliveResponse.Parser));
        Assert.Equal("13", exchange.StatusCode);
        Assert.Equal("grpc: received unexpected payload format 7", exchange.StatusMessage);
    }

    [Fact]
    public async Task What_is_under_way_ends_with_the_client()
    {
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange);
        await SendAsync(exchange, 1, 2);
        await BeginAsync(2);

        exchange.Abort();
        await serving.WaitAsync(Patience);

        Assert.Equal("1", exchange.StatusCode);
    }

    private static async Task SendAsync(GrpcExchange exchange, int first, int last)
    {
        for (int id = first; id <= last; id++)
        {
            await exchange.SendAsync(new LeaseKeepAliveRequest { ID = id }, last: false);
        }
    }

    private Task Serve(GrpcExchange exchange)
    {
        var binder = new ServiceBinder("etcdserverpb.Lease").BothStream("LeaseKeepAlive", call => new KeepAliveStream(call, RenewAsync).RunAsync());
        var server = new GrpcServer(binder.Methods, _limits, NullLogger.Instance);
        return server.ServeAsync(exchange.Features, "/etcdserverpb.Lease/LeaseKeepAlive", new GrpcCall(_limits));
    }

    private ValueTask<Answer<LeaseKeepAliveResponse>> RenewAsync(LeaseKeepAliveRequest request, RequestContext context)
    {
        var renewal = new Renewal(request.ID);
        context.Cancelled.Register(() => renewal.Outcome.TrySetResult(NodeError.Canceled));
        lock (_begun)
        {
            _begun.Add(renewal);
        }

        _begins.Release();
        return new ValueTask<Answer<LeaseKeepAliveResponse>>(renewal.Outcome.Task);
    }

    /// <summary>Waits until so many more renewals have begun.</summary>
    private async Task<Renewal[]> BeginAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Assert.True(await _begins.WaitAsync(Patience), $"only {i} of {count} renewals begin");
        }

        lock (_begun)
        {
            Renewal[] begun = [.. _begun.Take(count)];
            _begun.RemoveRange(0, count);
            return begun;
        }
    }

    private sealed record Renewal(long Id)
    {
        public TaskCompletionSource<Answer<LeaseKeepAliveResponse>> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Succeed() => Outcome.SetResult(new LeaseKeepAliveResponse { ID = Id, TTL = 10 });
    }
}
