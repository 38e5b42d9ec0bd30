using System.Net;
using Cairn.Host.Grpc;
using Cairn.Host.Listening;
using Cairn.Protocol;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class NewcomersTests : IDisposable
{
    private const string Put = "/etcdserverpb.KV/Put";

    private readonly List<string> _cut = [];
    private readonly Newcomers _newcomers;
    private readonly GrpcLimits _limits = new(messageBytesMax: 1000, TimeProvider.System);

    public NewcomersTests() => _newcomers = new Newcomers((remote, _) => _cut.Add($"{remote}"));

    public void Dispose() => _limits.Dispose();

    [Fact]
    public void When_all_places_are_taken_the_one_that_has_waited_longest_makes_room()
    {
        for (int i = 0; i < Newcomers.PlacesMax; i++)
        {
            Arrive($"10.0.{i / 200}.1", i);
        }

        Assert.Empty(_cut);
        Arrive("10.1.0.1", 1);

        Assert.Equal(["10.0.0.1:0"], _cut);
        Assert.Equal(Newcomers.PlacesMax, _newcomers.Count);
    }

    [Fact]
    public void An_address_that_holds_more_than_its_share_makes_room_by_itself()
    {
        Arrive("10.0.0.1", 1);
        for (int i = 1; i < Newcomers.PlacesMax; i++)
        {
            Arrive("10.0.0.2", i);
        }

        Arrive("10.0.0.2", 5000);
        Arrive("10.0.0.2", 5001);

        Assert.Equal(["10.0.0.2:1", "10.0.0.2:2"], _cut);
    }

    [Fact]
    public void Who_has_brought_a_whole_request_never_waits_again()
    {
        Newcomer honest = Arrive("10.0.0.1", 1);
        honest.Prove();
        honest.Wait();
        Assert.Equal(0, _newcomers.Count);

        Newcomer resting = Arrive("10.0.0.1", 2);
        resting.Rest();
        Assert.Equal(0, _newcomers.Count);
        resting.Wait();
        Assert.Equal(1, _newcomers.Count);
        resting.Settle();
        Assert.Equal(0, _newcomers.Count);
    }

    [Fact]
    public async Task Calls_that_end_before_their_message_end_the_connection_and_those_with_one_do_not()
    {
        Newcomer newcomer = Arrive("10.0.0.1", 1);
        for (int i = 0; i < Newcomer.EmptyCallsMax; i++)
        {
            await CallAsync(newcomer, message: null);
        }

        await CallAsync(newcomer, new PutRequest());
        for (int i = 0; i < Newcomer.EmptyCallsMax; i++)
        {
            await CallAsync(newcomer, message: null);
        }

        Assert.False(newcomer.IsCut);
        await CallAsync(newcomer, message: null);

        Assert.True(newcomer.IsCut);
        Assert.Equal(["10.0.0.1:1"], _cut);
    }

    [Fact]
    public async Task A_call_that_was_reset_before_it_ran_is_not_read_and_counts()
    {
        Newcomer newcomer = Arrive("10.0.0.1", 1);
        using var exchange = new GrpcExchange();
        exchange.Abort();

        for (int i = 0; i <= Newcomer.EmptyCallsMax; i++)
        {
            await Server().ServeAsync(exchange.Features, Put, new GrpcCall(_limits, newcomer));
        }

        Assert.Equal("1", exchange.StatusCode);
        Assert.True(newcomer.IsCut);
    }

    [Fact]
    public async Task A_message_that_is_too_large_or_none_at_all_for_the_parser_is_a_message()
    {
        Newcomer newcomer = Arrive("10.0.0.1", 1);
        for (int i = 0; i < 3 * Newcomer.EmptyCallsMax; i++)
        {
            using var exchange = new GrpcExchange();
            await exchange.SendBytesAsync(i % 2 == 0 ? [0, 0, 1, 0, 0] : [0, 0, 0, 0, 2, 0xff, 0xff]);
            await Server().ServeAsync(exchange.Features, Put, new GrpcCall(_limits, newcomer));
        }

        Assert.False(newcomer.IsCut);
    }

    [Fact]
    public void When_too_much_is_held_of_requests_that_are_not_whole_the_one_that_has_waited_longest_with_some_makes_room()
    {
        Newcomer silent = Arrive("10.0.0.1", 1);
        Newcomer[] slow = [.. Enumerable.Range(0, 8).Select(i => Arrive($"10.0.1.{i}", i))];
        long[] held = new long[slow.Length];
        for (int i = 0; i < slow.Length; i++)
        {
            slow[i].Hold(ref held[i], Newcomers.HeldBytesMax / slow.Length);
        }

        Assert.Empty(_cut);
        slow[3].Hold(ref held[3], (Newcomers.HeldBytesMax / slow.Length) - 1);
        slow[2].Hold(ref held[2], (Newcomers.HeldBytesMax / slow.Length) + 2);

        Assert.Equal(["10.0.1.0:0"], _cut);
        Assert.True(slow[0].IsCut);
        Assert.False(silent.IsCut);
        Assert.Equal((Newcomers.HeldBytesMax * 7 / 8) + 1, _newcomers.HeldBytes);
        slow[0].Wait();
        slow[0].Hold(ref held[0], 0);
        slow[1].Prove();
        Assert.Equal((Newcomers.HeldBytesMax * 6 / 8) + 1, _newcomers.HeldBytes);
        Assert.Equal(7, _newcomers.Count);
    }

    [Fact]
    public void An_address_that_holds_more_than_a_quarter_of_the_bytes_makes_room_by_itself()
    {
        Newcomer honest = Arrive("10.0.0.1", 1);
        long held = 0;
        honest.Hold(ref held, 1000);
        Newcomer[] slow = [Arrive("10.0.0.2", 1), Arrive("10.0.0.2", 2)];
        long[] heldBySlow = new long[slow.Length];
        slow[0].Hold(ref heldBySlow[0], Newcomers.HeldBytesMax / 2);
        slow[1].Hold(ref heldBySlow[1], Newcomers.HeldBytesMax / 2);

        Assert.Equal(["10.0.0.2:1"], _cut);
    }

    [Fact]
    public async Task What_has_come_of_a_message_is_counted_until_it_is_whole_or_its_call_has_ended()
    {
        Newcomer newcomer = Arrive("10.0.0.1", 1);
        using var ended = new GrpcExchange();
        await ended.SendBytesAsync([0, 0, 0, 2, 0, 1, 2, 3], last: false);
        Task serving = Server().ServeAsync(ended.Features, Put, new GrpcCall(_limits, newcomer));
        Assert.Equal(8, _newcomers.HeldBytes);
        await ended.SendBytesAsync([]);
        await serving.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(0, _newcomers.HeldBytes);

        using var whole = new GrpcExchange();
        await whole.SendBytesAsync([0, 0, 0, 0], last: false);
        serving = Server().ServeAsync(whole.Features, Put, new GrpcCall(_limits, newcomer));
        Assert.Equal(4, _newcomers.HeldBytes);
        await whole.SendBytesAsync([0]);
        await serving.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal((0, 0), (_newcomers.HeldBytes, _newcomers.Count));
        Assert.False(newcomer.IsCut);
    }

    private Newcomer Arrive(string address, int port)
    {
        var newcomer = new Newcomer(_newcomers, new DefaultConnectionContext { RemoteEndPoint = new IPEndPoint(IPAddress.Parse(address), port) });
        newcomer.Wait();
        return newcomer;
    }

    private async Task CallAsync(Newcomer newcomer, PutRequest? message)
    {
        using var exchange = new GrpcExchange();
        if (message is null)
        {
            await exchange.SendBytesAsync([]);
        }
        else
        {
            await exchange.SendAsync(message);
        }

        await Server().ServeAsync(exchange.Features, Put, new GrpcCall(_limits, newcomer));
    }

    private GrpcServer Server() => new(
        new ServiceBinder("etcdserverpb.KV").Unary("Put", PutRequest.Parser, static (_, _) => ValueTask.FromResult<Outcome<PutResponse>>(new PutResponse())).Methods,
        _limits,
        NullLogger.Instance);
}
