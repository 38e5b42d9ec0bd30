using System.Net;
using System.Net.Http.Headers;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Grpc.Calling;

public sealed class GrpcChannelTests
{
    private static readonly GrpcMethod<PutRequest, PutResponse> Put = new("/etcdserverpb.KV/Put", PutResponse.Parser);
    private static readonly PutRequest Request = new() { Key = ByteString.CopyFromUtf8("k"), Value = ByteString.CopyFromUtf8("v") };
    private static readonly PutResponse Answer = new() { Header = new ResponseHeader { Revision = 7 } };

    [Fact]
    public async Task A_call_sends_what_gRPC_prescribes_and_returns_the_answer()
    {
        ScriptedCall? seen = null;
        PutRequest? sent = null;
        long? announced = 0;
        using var channel = Channel(async call =>
        {
            seen = call;
            announced = call.Request.Content?.Headers.ContentLength;
            sent = await call.ReadAsync(PutRequest.Parser);
            await call.WriteAsync(Answer);
            call.End(GrpcStatusCode.Ok);
        });

        var answer = await channel.CallAsync(Put, Request, new GrpcCallOptions { Timeout = TimeSpan.FromSeconds(3), Metadata = [new("hasleader", "true")] });

        Assert.Equal(Answer, answer);
        Assert.Equal(Request, sent);
        Assert.Equal("http://server:2379/etcdserverpb.KV/Put", seen?.Request.RequestUri?.ToString());
        Assert.Equal(HttpMethod.Post, seen?.Request.Method);
        Assert.Equal(HttpVersion.Version20, seen?.Request.Version);
        Assert.Equal(HttpVersionPolicy.RequestVersionExact, seen?.Request.VersionPolicy);
        Assert.Equal("application/grpc", seen?.Request.Content?.Headers.ContentType?.ToString());
        Assert.Null(announced);
        Assert.Equal("trailers", seen?.Header("te"));
        Assert.Equal("3000000u", seen?.Header("grpc-timeout"));
        Assert.Equal("true", seen?.Header("hasleader"));
    }

    [Fact]
    public async Task An_answer_that_arrives_byte_by_byte_is_read()
    {
        using var channel = Channel(async call =>
        {
            foreach (var value in Frame(Answer))
            {
                await call.WriteRawAsync([value]);
            }

            call.End(GrpcStatusCode.Ok);
        });

        Assert.Equal(Answer, await channel.CallAsync(Put, Request));
    }

    [Fact]
    public async Task An_answer_larger_than_any_buffer_is_read()
    {
        var large = new PutResponse { PrevKv = new KeyValue { Value = ByteString.CopyFrom(new byte[3_000_000]) } };
        using var channel = Channel(async call =>
        {
            await call.WriteAsync(large);
            call.End(GrpcStatusCode.Ok);
        });

        Assert.Equal(large, await channel.CallAsync(Put, Request));
    }

    [Fact]
    public async Task The_status_of_the_trailers_is_reported_with_its_text_unescaped()
    {
        using var channel = Channel(call =>
        {
            call.End(GrpcStatusCode.InvalidArgument, "etcdserver: 100 % größer\n");
            return Task.CompletedTask;
        });

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request));

        Assert.Equal(new GrpcStatus(GrpcStatusCode.InvalidArgument, "etcdserver: 100 % größer\n"), failed.Status);
        Assert.False(failed.NeverSent);
    }

    [Fact]
    public async Task The_status_of_an_answer_without_messages_is_among_its_headers()
    {
        using var channel = Channel(call =>
        {
            call.AnswerWith(static response =>
            {
                response.Headers.TryAddWithoutValidation("grpc-status", "14");
                response.Headers.TryAddWithoutValidation("grpc-message", "etcdserver: no leader");
            });
            return Task.CompletedTask;
        });

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request));

        Assert.Equal(new GrpcStatus(GrpcStatusCode.Unavailable, "etcdserver: no leader"), failed.Status);
    }

    [Theory]
    [InlineData(404, GrpcStatusCode.Unimplemented)]
    [InlineData(503, GrpcStatusCode.Unavailable)]
    [InlineData(500, GrpcStatusCode.Unknown)]
    public async Task An_answer_of_something_that_is_no_gRPC_server_is_mapped_from_HTTP(int http, GrpcStatusCode expected)
    {
        using var channel = Channel(call =>
        {
            call.AnswerWith(response => response.StatusCode = (HttpStatusCode)http);
            return Task.CompletedTask;
        });

        Assert.Equal(expected, (await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request))).Code);
    }

    [Fact]
    public async Task Content_that_is_not_gRPC_is_refused()
    {
        using var channel = Channel(call =>
        {
            call.AnswerWith(static response => response.Content.Headers.ContentType = new MediaTypeHeaderValue("text/html"));
            return Task.CompletedTask;
        });

        Assert.Equal(GrpcStatusCode.Unknown, (await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request))).Code);
    }

    public static TheoryData<string, byte[], GrpcStatusCode> BrokenAnswers => new()
    {
        { "no message", [], GrpcStatusCode.Internal },
        { "two messages", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], GrpcStatusCode.Internal },
        { "half a head", [0, 0, 0], GrpcStatusCode.Internal },
        { "half a message", [0, 0, 0, 0, 9, 1], GrpcStatusCode.Internal },
        { "a compressed message", [1, 0, 0, 0, 0], GrpcStatusCode.Internal },
        { "a frame of an unknown kind", [7, 0, 0, 0, 0], GrpcStatusCode.Internal },
        { "not the message", [0, 0, 0, 0, 1, 0xff], GrpcStatusCode.Internal },
        { "a message that is too large", [0, 0, 1, 0, 1], GrpcStatusCode.ResourceExhausted },
    };

    [Theory]
    [MemberData(nameof(BrokenAnswers))]
    public async Task A_broken_answer_is_refused(string what, byte[] bytes, GrpcStatusCode expected)
    {
        using var channel = Channel(
            async call =>
            {
                await call.WriteRawAsync(bytes);
                call.End(GrpcStatusCode.Ok);
            },
            new GrpcChannelOptions { ResponseBytesMax = 65536 });

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request));
        Assert.True(expected == failed.Code, what);
    }

    [Fact]
    public async Task An_answer_that_ends_without_a_status_is_refused()
    {
        using var channel = Channel(async call =>
        {
            await call.WriteAsync(Answer);
            call.EndWithoutStatus();
        });

        Assert.Equal(GrpcStatusCode.Internal, (await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request))).Code);
    }

    [Fact]
    public async Task A_connection_that_cannot_be_made_says_that_nothing_was_sent()
    {
        using var channel = Channel(_ => throw new HttpRequestException(HttpRequestError.ConnectionError, "refused"));

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request));

        Assert.Equal(GrpcStatusCode.Unavailable, failed.Code);
        Assert.True(failed.NeverSent);
    }

    [Fact]
    public async Task A_connection_that_breaks_leaves_open_what_the_server_saw()
    {
        using var channel = Channel(async call =>
        {
            await call.WriteRawAsync([0]);
            call.Break(new IOException("reset"));
        });

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request));

        Assert.Equal(GrpcStatusCode.Unavailable, failed.Code);
        Assert.False(failed.NeverSent);
    }

    [Theory]
    [InlineData(0x7, GrpcStatusCode.Unavailable, true)]
    [InlineData(0x8, GrpcStatusCode.Canceled, false)]
    [InlineData(0xb, GrpcStatusCode.ResourceExhausted, false)]
    [InlineData(0x2, GrpcStatusCode.Internal, false)]
    public async Task A_stream_that_is_reset_is_mapped_from_its_code(long reset, GrpcStatusCode expected, bool neverSent)
    {
        using var channel = Channel(_ => throw new HttpRequestException("reset", new HttpProtocolException(reset, "reset", null)));

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request));

        Assert.Equal(expected, failed.Code);
        Assert.Equal(neverSent, failed.NeverSent);
    }

    [Fact]
    public async Task A_deadline_that_passes_ends_the_call_with_Gos_words()
    {
        var time = new ImpatientTime(TimeSpan.FromMinutes(1));
        using var channel = Channel(static call => Task.Delay(Timeout.Infinite, call.Cancelled), new GrpcChannelOptions { Time = time });

        var failed = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Put, Request, new GrpcCallOptions { Timeout = TimeSpan.FromSeconds(5) }));

        Assert.Equal(new GrpcStatus(GrpcStatusCode.DeadlineExceeded, "context deadline exceeded"), failed.Status);
    }

    [Fact]
    public async Task A_caller_that_gives_up_gets_its_own_cancellation()
    {
        using var given = new CancellationTokenSource();
        using var channel = Channel(call =>
        {
            given.Cancel();
            return Task.Delay(Timeout.Infinite, call.Cancelled);
        });

        var cancelled = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => channel.CallAsync(Put, Request, new GrpcCallOptions { Cancelled = given.Token }));

        Assert.Equal(given.Token, cancelled.CancellationToken);
    }

    private static GrpcChannel Channel(Func<ScriptedCall, Task> script, GrpcChannelOptions? options = null) =>
        new(new Uri("http://server:2379"), options ?? new GrpcChannelOptions(), new ScriptedServer(script));

    private static byte[] Frame(IMessage message)
    {
        var frame = new System.Buffers.ArrayBufferWriter<byte>();
        Framing.Write(frame, message);
        return frame.WrittenSpan.ToArray();
    }
}
