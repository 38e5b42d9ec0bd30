using System.Buffers;
using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class GrpcServerTests : IDisposable
{
    private const string Put = "/etcdserverpb.KV/Put";

    private readonly GrpcLimits _limits = new(messageBytesMax: 1000, TimeProvider.System);

    public void Dispose() => _limits.Dispose();

    [Fact]
    public async Task A_unary_call_is_answered_with_its_message_and_status_0_in_the_trailers()
    {
        using var exchange = new GrpcExchange();
        await exchange.SendAsync(new PutRequest { Key = ByteString.CopyFromUtf8("k") });

        await Serve(exchange, Put, Server(static request => new PutResponse { PrevKv = new KeyValue { Key = request.Key } }));

        Assert.Equal("k", Assert.Single(exchange.Answers(PutResponse.Parser)).PrevKv.Key.ToStringUtf8());
        Assert.Equal("0", exchange.Trailers["grpc-status"]);
        Assert.Equal("application/grpc", exchange.AnswerHeaders.ContentType);
    }

    [Fact]
    public async Task A_refusal_carries_code_and_escaped_text_and_no_message()
    {
        using var exchange = new GrpcExchange();
        await exchange.SendAsync(new PutRequest());

        await Serve(exchange, Put, Server(static _ => new GrpcStatus(GrpcStatusCode.NotFound, "100% gone")));

        Assert.Empty(exchange.Answers(PutResponse.Parser));
        Assert.Equal("5", exchange.StatusCode);
        Assert.Equal("100%25 gone", exchange.StatusMessage);
    }

    [Fact]
    public async Task A_message_over_the_limit_is_refused_in_the_words_of_grpc_go()
    {
        using var exchange = new GrpcExchange();
        await exchange.SendAsync(new PutRequest { Value = ByteString.CopyFrom(new byte[1000]) }, last: false);

        await Serve(exchange, Put, Server(static _ => new PutResponse()));

        Assert.Equal("8", exchange.StatusCode);
        Assert.Equal("grpc: received message larger than max (1003 vs. 1000)", exchange.StatusMessage);
    }

    [Theory]
    [InlineData(new byte[] { 7, 0, 0, 0, 0 }, "13", "grpc: received unexpected payload format 7")]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, "13", "grpc: compressed flag set with identity or empty encoding")]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1 }, "13", "unexpected EOF")]
    [InlineData(new byte[] { }, "13", "grpc: a unary call carried no message")]
    public async Task Broken_frames_end_the_call_and_not_the_server(byte[] bytes, string code, string message)
    {
        using var exchange = new GrpcExchange();
        await exchange.SendBytesAsync(bytes);

        await Serve(exchange, Put, Server(static _ => new PutResponse()));

        Assert.Equal(code, exchange.StatusCode);
        Assert.Equal(message, exchange.StatusMessage);
    }

    [Fact]
    public async Task Bytes_that_are_no_message_are_an_internal_error()
    {
        using var exchange = new GrpcExchange();
        await exchange.SendBytesAsync([0, 0, 0, 0, 2, 0xff, 0xff]);

        await Serve(exchange, Put, Server(static _ => new PutResponse()));

        Assert.Equal("13", exchange.StatusCode);
        Assert.StartsWith("grpc: error unmarshalling request:", exchange.StatusMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_nested_message_longer_than_all_is_an_internal_error_and_takes_no_memory()
    {
        var binder = new ServiceBinder("etcdserverpb.KV").Unary("Txn", TxnRequest.Parser, static (_, _) => ValueTask.FromResult<Outcome<TxnResponse>>(new TxnResponse())).Absent("Put");
        var server = new GrpcServer(binder.Methods, _limits, NullLogger.Instance);
        using var exchange = new GrpcExchange();
        await exchange.SendBytesAsync([0, 0, 0, 0, 12, 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x1A, 0x80, 0x80, 0x80, 0x80, 0x04]);

        // All of it is there, so that no other thread has a part in it.
        long before = GC.GetAllocatedBytesForCurrentThread();
        Task served = Serve(exchange, "/etcdserverpb.KV/Txn", server);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024 * 1024);
        Assert.True(served.IsCompletedSuccessfully);

        Assert.Equal("13", exchange.StatusCode);
        Assert.StartsWith("grpc: error unmarshalling request:", exchange.StatusMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_messages_in_a_unary_call_are_refused_without_being_handled()
    {
        bool handled = false;
        using var exchange = new GrpcExchange();
        await exchange.SendAsync(new PutRequest(), last: false);
        await exchange.SendAsync(new PutRequest());

        await Serve(exchange, Put, Server(_ =>
        {
            handled = true;
            return new PutResponse();
        }));

        Assert.Equal("13", exchange.StatusCode);
        Assert.False(handled);
    }

    [Theory]
    [InlineData("/etcdserverpb.KV/Nope", "unknown method Nope for service etcdserverpb.KV")]
    [InlineData("/no.Such/Put", "unknown service no.Such")]
    [InlineData("/nothing", "malformed method name: \"/nothing\"")]
    public async Task Unknown_methods_and_services_are_unimplemented(string path, string message)
    {
        using var exchange = new GrpcExchange();

        await Serve(exchange, path, Server(static _ => new PutResponse()));

        Assert.Equal("12", exchange.StatusCode);
        Assert.Equal(message, exchange.StatusMessage?.Replace("%22", "\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_method_that_is_named_as_absent_is_unimplemented_and_counted()
    {
        using var exchange = new GrpcExchange();
        GrpcServer server = Server(static _ => new PutResponse());

        await Serve(exchange, "/etcdserverpb.KV/Txn", server);

        Assert.Equal("12", exchange.StatusCode);
        Assert.Equal(1, server.Methods.Single(static method => method.Name == "Txn").Counters.Handled(GrpcStatusCode.Unimplemented));
    }

    [Fact]
    public async Task An_encoding_that_is_not_known_is_unimplemented_and_the_known_ones_are_named()
    {
        using var exchange = new GrpcExchange(("grpc-encoding", "snappy"));
        await exchange.SendAsync(new PutRequest());

        await Serve(exchange, Put, Server(static _ => new PutResponse()));

        Assert.Equal("12", exchange.StatusCode);
        Assert.Equal("identity,gzip", exchange.AnswerHeaders["grpc-accept-encoding"]);
    }

    [Fact]
    public async Task A_handler_that_throws_gives_an_internal_error_without_its_text()
    {
        using var exchange = new GrpcExchange();
        await exchange.SendAsync(new PutRequest());

        await Serve(exchange, Put, Server(static _ => throw new InvalidOperationException("secret")));

        Assert.Equal("13", exchange.StatusCode);
        Assert.DoesNotContain("secret", exchange.StatusMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_that_was_begun_is_sent_to_its_end_though_the_time_limit_of_its_call_passes()
    {
        using var exchange = new GrpcExchange(("grpc-timeout", "1m"));
        await exchange.SendAsync(new PutRequest());
        Func<PutResponse, GrpcCall, ValueTask> send = static async (_, call) =>
        {
            call.Rest.Write((byte[])[0, 0, 0, 0, 2]);
            await call.FlushPartAsync();
            var passed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using CancellationTokenRegistration limit = call.Cancelled.Register(passed.SetResult);
            await passed.Task;
            call.Rest.Write((byte[])[0x0A, 0]);
            await call.FlushPartAsync();
        };
        var binder = new ServiceBinder("etcdserverpb.KV").Unary("Put", PutRequest.Parser, static (_, _) => ValueTask.FromResult<Outcome<PutResponse>>(new PutResponse()), send);

        await Serve(exchange, Put, new GrpcServer(binder.Methods, _limits, NullLogger.Instance));

        Assert.NotNull(Assert.Single(exchange.Answers(PutResponse.Parser)).Header);
        Assert.Equal("0", exchange.StatusCode);
    }

    [Fact]
    public async Task A_client_that_goes_away_while_its_request_is_awaited_ends_the_call_as_canceled()
    {
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange, Put, Server(static _ => new PutResponse()));

        exchange.Abort();
        await serving;

        Assert.Equal("1", exchange.StatusCode);
    }

    [Fact]
    public async Task A_stop_of_the_server_ends_streams_as_unavailable_so_that_clients_go_elsewhere()
    {
        var binder = new ServiceBinder("etcdserverpb.Watch").BothStream("Watch", static async call =>
        {
            await call.ReadAsync(WatchRequest.Parser, call.Cancelled);
            return GrpcStatus.Ok;
        });
        var server = new GrpcServer(binder.Methods, _limits, NullLogger.Instance);
        using var exchange = new GrpcExchange();
        Task serving = Serve(exchange, "/etcdserverpb.Watch/Watch", server);

        _limits.Stop();
        await serving;

        Assert.Equal("14", exchange.StatusCode);
        Assert.Equal("etcdserver: server stopped", exchange.StatusMessage);
    }

    [Fact]
    public async Task A_stream_reads_messages_one_by_one_until_the_client_ends_its_side()
    {
        var seen = new List<long>();
        var binder = new ServiceBinder("etcdserverpb.Lease").BothStream("LeaseKeepAlive", async call =>
        {
            while (await call.ReadAsync(LeaseKeepAliveRequest.Parser, call.Cancelled) is { } request)
            {
                seen.Add(request.ID);
                call.Write(new LeaseKeepAliveResponse { ID = request.ID }, ProtobufWriter.Instance);
            }

            return call.ReadFailure;
        });
        var server = new GrpcServer(binder.Methods, _limits, NullLogger.Instance);
        using var exchange = new GrpcExchange();
        await exchange.SendAsync(new LeaseKeepAliveRequest { ID = 1 }, last: false);
        await exchange.SendAsync(new LeaseKeepAliveRequest { ID = 2 });

        await Serve(exchange, "/etcdserverpb.Lease/LeaseKeepAlive", server);

        Assert.Equal([1, 2], seen);
        Assert.Equal([1, 2], exchange.Answers(LeaseKeepAliveResponse.Parser).Select(static answer => answer.ID));
        Assert.Equal("0", exchange.StatusCode);
    }

    private static Task Serve(GrpcExchange exchange, string path, GrpcServer server) => server.ServeAsync(exchange.Features, path, new GrpcCall(server.Limits));

    private GrpcServer Server(Func<PutRequest, Outcome<PutResponse>> handle)
    {
        var binder = new ServiceBinder("etcdserverpb.KV")
            .Unary("Put", PutRequest.Parser, (request, _) => ValueTask.FromResult(handle(request)))
            .Absent("Txn");
        return new GrpcServer(binder.Methods, _limits, NullLogger.Instance);
    }
}
