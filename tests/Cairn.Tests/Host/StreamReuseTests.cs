using System.Net.Sockets;
using System.Reflection;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host;
using Cairn.Host.Flags;
using Cairn.Host.Grpc;
using Cairn.Host.Listening;
using Cairn.Protocol;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class StreamReuseTests
{
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;

    private static readonly GrpcMethod<PutRequest, PutResponse> Unknown = new("/none/None", PutResponse.Parser);

    /// <summary>What a window update, or a cancellation, that meets the end of an answer leaves behind.</summary>
    [Fact]
    public async Task A_stream_object_that_was_left_marked_as_queued_answers_the_next_call()
    {
        string socket = Path.Combine(Directory.CreateTempSubdirectory("cairn-streams-").FullName, "port");
        using var limits = new GrpcLimits(1 << 20, TimeProvider.System);
        var grpc = new GrpcServer([], limits, NullLogger.Instance);
        var streams = new List<IFeatureCollection>();
        var stage = new Stage { Grpc = Serve, Client = Nothing, Metrics = Nothing, Peers = Nothing };
        await using var web = new WebServer(
            new WebLimits { ConcurrentStreamsMax = 100, KeepAliveInterval = TimeSpan.Zero, KeepAliveTimeout = TimeSpan.Zero }, NullLoggerFactory.Instance, TimeProvider.System);
        Assert.True(EtcdUrl.TryParseList($"unix://{socket}", out IReadOnlyList<EtcdUrl>? urls, out _));
        web.Add(urls[0], HttpProtocols.Http2, new ListenerRole(ServesGrpc: true, static stage => stage.Client), null);
        await web.StartAsync(new HostApplication(limits, () => stage), TestContext.Current.CancellationToken);
        using var channel = new GrpcChannel(new Uri("http://localhost"), new GrpcChannelOptions(), ConnectedTo(socket));

        // Until an object comes again: the first may not be back before the second call needs one.
        for (int calls = 0; calls < 100 && streams.Distinct().Count() == streams.Count; calls++)
        {
            streams.ForEach(MarkAsQueued);
            var options = new GrpcCallOptions { Timeout = TimeSpan.FromSeconds(60) };
            var answer = await Assert.ThrowsAsync<GrpcException>(() => channel.CallAsync(Unknown, new PutRequest(), options));
            Assert.Equal(GrpcStatusCode.Unimplemented, answer.Code);
        }

        Assert.NotEqual(streams.Count, streams.Distinct().Count());
        await web.StopAsync(TestContext.Current.CancellationToken);

        Task Serve(IFeatureCollection features, string path, GrpcCall call)
        {
            streams.Add(features);
            return grpc.ServeAsync(features, path, call);
        }
    }

    private static Task Nothing(IFeatureCollection features) => Task.CompletedTask;

    private static void MarkAsQueued(IFeatureCollection stream)
    {
        object output = FieldOf(stream.GetType().BaseType!, "_http2Output").GetValue(stream)!; // Set when the object was made.
        FieldOf(output.GetType(), "_isScheduled").SetValue(output, true);
    }

    private static FieldInfo FieldOf(Type type, string name)
    {
        FieldInfo? field = type.GetField(name, Hidden);
        Assert.True(field is not null, $"{type} has no field {name} any more: StreamReuse mends nothing, and may be superfluous");
        return field;
    }

    private static SocketsHttpHandler ConnectedTo(string socket) => new()
    {
        ConnectCallback = async (_, cancelled) =>
        {
            var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancelled);
            return new NetworkStream(connection, ownsSocket: true);
        },
    };
}
