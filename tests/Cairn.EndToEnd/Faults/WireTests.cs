using System.Net.Sockets;
using System.Text;
using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Clients that break the protocol harm themselves only.</summary>
public sealed class WireTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const byte Headers = 1;
    private const byte Settings = 4;
    private const byte GoAway = 7;

    private static readonly byte[] Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    private static readonly byte[] EmptySettings = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    // The last says whether servers may overlook it: etcd's or ours does, and it harms nobody.
    public static TheoryData<string, byte[], bool> Nonsense => new()
    {
        { "nothing that is HTTP", Encoding.ASCII.GetBytes("\0\0\0 hello\r\n\r\n"), false },
        { "a preface that goes wrong", Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), false },
        { "no settings after the preface", [.. Preface, 0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], true },
        { "a frame larger than allowed", [.. Preface, .. EmptySettings, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1], false },
        { "data on a stream that is not open", [.. Preface, .. EmptySettings, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0], true },
        { "headers on an even stream", [.. Preface, .. EmptySettings, 0, 0, 1, 1, 5, 0, 0, 0, 2, 0x83], false },
        { "headers that refer to nothing", [.. Preface, .. EmptySettings, 0, 0, 1, 1, 5, 0, 0, 0, 1, 0xff], false },
        { "a window that overflows", [.. Preface, .. EmptySettings, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], true },
        { "settings of a wrong length", [.. Preface, 0, 0, 5, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5], false },
        { "a continuation of nothing", [.. Preface, .. EmptySettings, 0, 0, 0, 9, 4, 0, 0, 0, 1], false },
    };

    [Theory]
    [MemberData(nameof(Nonsense))]
    public async Task A_connection_that_breaks_the_protocol_is_closed_and_others_are_served(string what, byte[] bytes, bool mayBeOverlooked)
    {
        await using var client = shared.Server.Connect();
        await client.Kv.PutAsync("wire/before", what);
        using var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", shared.Server.ClientPort);
        var stream = socket.GetStream();

        await stream.WriteAsync(bytes);

        if (!mayBeOverlooked)
        {
            await ReadToEndAsync(stream);
        }

        Assert.Equal(what, (await client.Kv.GetAsync("wire/before"))?.Value.ToStringUtf8());
        await client.Kv.PutAsync("wire/after", what);
    }

    [Fact]
    public async Task A_connection_that_says_nothing_holds_nobody_up()
    {
        using var silent = new TcpClient();
        await silent.ConnectAsync("127.0.0.1", shared.Server.ClientPort);
        using var half = new TcpClient();
        await half.ConnectAsync("127.0.0.1", shared.Server.ClientPort);
        await half.GetStream().WriteAsync(Preface.AsMemory(0, 5));
        await using var client = shared.Server.Connect();

        await client.Kv.PutAsync("wire/silent", "1");

        Assert.Equal("1", (await client.Kv.GetAsync("wire/silent"))?.Value.ToStringUtf8());
    }

    [Fact]
    public async Task A_client_that_ends_its_side_with_a_call_open_gets_an_orderly_end()
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", shared.Server.ClientPort);
        var stream = client.GetStream();
        byte[] path = [0x83, 0x86, 0x04, 0x19, .. Encoding.ASCII.GetBytes("/etcdserverpb.Watch/Watch"), 0x0f, 0x10, 0x10, .. Encoding.ASCII.GetBytes("application/grpc")];
        await stream.WriteAsync((byte[])[.. Preface, .. EmptySettings, 0, 0, (byte)path.Length, 1, 4, 0, 0, 0, 1, .. path]);
        Assert.Contains(Settings, await FramesAsync(stream, TimeSpan.FromSeconds(1)));

        client.Client.Shutdown(SocketShutdown.Send);

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await stream.CopyToAsync(Stream.Null, patience.Token);
    }

    [Fact]
    public async Task A_client_that_waits_for_the_settings_and_sends_its_call_in_pieces_is_served()
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", shared.Server.ClientPort);
        var stream = client.GetStream();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        byte[] path = [0x83, 0x86, 0x04, 0x14, .. Encoding.ASCII.GetBytes("/etcdserverpb.KV/Put"), 0x0f, 0x10, 0x10, .. Encoding.ASCII.GetBytes("application/grpc")];

        await stream.WriteAsync((byte[])[.. Preface, .. EmptySettings], patience.Token);
        var greeting = await FrameAsync(stream, Settings, patience.Token);
        await stream.WriteAsync((byte[])[0, 0, (byte)path.Length, 1, 4, 0, 0, 0, 1, .. path, 0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 6], patience.Token);
        await stream.WriteAsync((byte[])[0, 0, 6, 0, 1, 0, 0, 0, 1, 0x0a, 1, (byte)'w', 0x12, 1, (byte)'1'], patience.Token);

        // However often a server greets, it says the same each time; then it acknowledges what the client has set.
        for (var said = greeting; said.Length > 0; said = await FrameAsync(stream, Settings, patience.Token))
        {
            Assert.Equal(greeting, said);
        }

        Assert.NotEmpty(await FrameAsync(stream, Headers, patience.Token));
        await using var other = shared.Server.Connect();
        Assert.Equal("1", (await other.Kv.GetAsync("w", cancelled: patience.Token))?.Value.ToStringUtf8());
    }

    [Fact]
    public async Task A_connection_without_calls_stays_open()
    {
        using var idle = new TcpClient();
        await idle.ConnectAsync("127.0.0.1", shared.Server.ClientPort);
        var stream = idle.GetStream();
        await stream.WriteAsync(Preface.Concat(EmptySettings).ToArray());

        // Servers look after their connections about once a second: after three nothing but their greeting may have come.
        var frames = await FramesAsync(stream, TimeSpan.FromSeconds(3));

        Assert.DoesNotContain(GoAway, frames);
        Assert.Contains(Settings, frames);
    }

    [Fact]
    public async Task A_request_that_is_not_the_expected_message_is_refused()
    {
        var channel = new Cairn.Grpc.Calling.GrpcChannel(new Uri($"http://{shared.Server.Endpoint}"));
        var method = new Cairn.Grpc.Calling.GrpcMethod<KeyValue, PutResponse>("/etcdserverpb.KV/Put", PutResponse.Parser);
        using (channel)
        {
            // As a PutRequest its second field is a number where bytes belong.
            var wrong = await Assert.ThrowsAsync<Cairn.Grpc.Calling.GrpcException>(() => channel.CallAsync(method, new KeyValue { CreateRevision = 5 }));

            Assert.Contains(wrong.Code, new[] { Cairn.Grpc.GrpcStatusCode.Internal, Cairn.Grpc.GrpcStatusCode.InvalidArgument });
        }
    }

    [Fact]
    public async Task A_method_that_does_not_exist_is_said_not_to()
    {
        using var channel = new Cairn.Grpc.Calling.GrpcChannel(new Uri($"http://{shared.Server.Endpoint}"));
        var method = new Cairn.Grpc.Calling.GrpcMethod<PutRequest, PutResponse>("/etcdserverpb.KV/Forget", PutResponse.Parser);

        var missing = await Assert.ThrowsAsync<Cairn.Grpc.Calling.GrpcException>(() => channel.CallAsync(method, new PutRequest()));

        Assert.Equal(Cairn.Grpc.GrpcStatusCode.Unimplemented, missing.Code);
    }

    [Theory]
    [InlineData(1_600_000, ClientErrorCode.InvalidArgument, "etcdserver: request is too large")]
    [InlineData(3_000_000, ClientErrorCode.ResourceExhausted, "received message larger than max")]
    public async Task A_request_that_is_too_large_is_refused_with_etcds_words(int bytes, ClientErrorCode code, string text)
    {
        await using var client = shared.Server.Connect();
        var request = new PutRequest { Key = ByteString.CopyFromUtf8("large"), Value = ByteString.CopyFrom(new byte[bytes]) };

        var refused = await Assert.ThrowsAsync<ClientException>(() => client.Kv.PutAsync(request));

        Assert.Equal(code, refused.Code);
        Assert.Contains(text, refused.Message, StringComparison.Ordinal);
        Assert.Null(await client.Kv.GetAsync("large"));
    }

    [Fact]
    public async Task The_largest_request_that_fits_is_taken()
    {
        await using var client = shared.Server.Connect();
        var value = ByteString.CopyFrom(new byte[1_572_000]);

        await client.Kv.PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8("largest"), Value = value });

        Assert.Equal(value, (await client.Kv.GetAsync("largest"))?.Value);
    }

    /// <summary>What the next frame of a type carries.</summary>
    private static async Task<byte[]> FrameAsync(NetworkStream stream, byte type, CancellationToken cancelled)
    {
        var header = new byte[9];
        while (true)
        {
            await stream.ReadExactlyAsync(header, cancelled);
            var payload = new byte[(header[0] << 16) | (header[1] << 8) | header[2]];
            await stream.ReadExactlyAsync(payload, cancelled);
            if (header[3] == type)
            {
                return payload;
            }
        }
    }

    private static async Task<List<byte>> FramesAsync(NetworkStream stream, TimeSpan time)
    {
        using var over = new CancellationTokenSource(time);
        var types = new List<byte>();
        var header = new byte[9];
        try
        {
            while (true)
            {
                await stream.ReadExactlyAsync(header, over.Token);
                types.Add(header[3]);
                await stream.ReadExactlyAsync(new byte[(header[0] << 16) | (header[1] << 8) | header[2]], over.Token);
            }
        }
        catch (OperationCanceledException)
        {
            return types;
        }
    }

    // The server may say goodbye first, and may close with a reset: either way the connection has to end.
    private static async Task ReadToEndAsync(NetworkStream stream)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer, patience.Token) > 0)
            {
                // What it says does not matter.
            }
        }
        catch (IOException)
        {
            // Closed with a reset.
        }
    }
}
