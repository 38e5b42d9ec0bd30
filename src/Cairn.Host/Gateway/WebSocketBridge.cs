using System.Buffers;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Cairn.Host.Listening;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Gateway;

/// <summary>The gateway over a websocket, as browsers open it: each message is a piece of the request's body, each line of the answer is a message.</summary>
/// <remarks>
/// A token may come as the second word of <c>Sec-WebSocket-Protocol: Bearer, TOKEN</c>, since browsers set no other header. A call that takes one message is made when that
/// message is there. Source: github.com/tmc/grpc-websocket-proxy as etcd's server/embed/serve.go sets it up; RFC 6455 section 4.2.2.
/// </remarks>
internal sealed class WebSocketBridge(JsonGateway gateway)
{
    private const int PieceBytes = 16 * 1024;
    private const string AcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private const string BearerProtocol = "Bearer";

    // A client that went away without a word is found out by then.
    private static readonly TimeSpan PingPeriod = TimeSpan.FromSeconds(30);

    /// <summary>Whether a request asks for a websocket.</summary>
    /// <param name="features">The request.</param>
    public static bool IsAskedFor(IFeatureCollection features)
    {
        var headers = features.GetRequiredFeature<IHttpRequestFeature>().Headers;
        return features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } && headers.SecWebSocketKey.Count == 1
            && string.Equals(headers.Upgrade, "websocket", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Shakes hands, carries the call, and closes.</summary>
    /// <param name="features">The request.</param>
    public async Task ServeAsync(IFeatureCollection features)
    {
        var request = features.GetRequiredFeature<IHttpRequestFeature>();
        string[] protocols = [.. request.Headers.SecWebSocketProtocol.SelectMany(static value => (value ?? "").Split(',', StringSplitOptions.TrimEntries))];
        string? protocol = protocols is [BearerProtocol, _] ? BearerProtocol : null;
        if (protocol is not null)
        {
            request.Headers.Authorization = $"{BearerProtocol} {protocols[1]}";
        }

        ShakeHands(request, features.GetRequiredFeature<IHttpResponseFeature>(), protocol);
        await using Stream stream = await features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        using var socket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = PingPeriod, SubProtocol = protocol });
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted);
        var call = new InnerCall(request.Path, request, gone.Token);
        call.Features.Set(features.Get<Newcomer>());
        bool takesOne = GatewayRoutes.Find(request.Path) is not { IsClientStreaming: true };
        Task receiving = ReceiveAsync(socket, call.Requests, takesOne, gone);
        Task serving = CarryOutAsync(call);
        await SendAsync(call.Answers, socket, gone.Token);
        await serving;
        await CloseAsync(socket, gone);
        await receiving;
    }

    private static void ShakeHands(IHttpRequestFeature request, IHttpResponseFeature response, string? protocol)
    {
#pragma warning disable CA5350 // RFC 6455 has it so; it protects nothing.
        byte[] hash = SHA1.HashData(Encoding.ASCII.GetBytes(request.Headers.SecWebSocketKey + AcceptSuffix));
#pragma warning restore CA5350
        response.Headers.Connection = "Upgrade";
        response.Headers.Upgrade = "websocket";
        response.Headers.SecWebSocketAccept = Convert.ToBase64String(hash);
        if (protocol is not null)
        {
            response.Headers.SecWebSocketProtocol = protocol;
        }
    }

    private async Task CarryOutAsync(InnerCall call)
    {
        await gateway.ServeAsync(call.Features);
        call.Complete();
    }

    /// <summary>Hands messages to the call until the client closes, is gone, or has said all that the call takes.</summary>
    private static async Task ReceiveAsync(WebSocket socket, PipeWriter requests, bool takesOne, CancellationTokenSource gone)
    {
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult received = await socket.ReceiveAsync(requests.GetMemory(PieceBytes), gone.Token);
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    break;
                }

                requests.Advance(received.Count);
                if (received.EndOfMessage)
                {
                    requests.Write("\n"u8);
                }

                await requests.FlushAsync(gone.Token);
                if (received.EndOfMessage && takesOne)
                {
                    await requests.CompleteAsync();
                    return;
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // The client is gone, or the call is over.
        }

        await requests.CompleteAsync();
        await gone.CancelAsync();
    }

    private static async Task SendAsync(PipeReader answers, WebSocket socket, CancellationToken gone)
    {
        try
        {
            while (true)
            {
                ReadResult read = await answers.ReadAsync(gone);
                ReadOnlySequence<byte> rest = read.Buffer;
                while (rest.PositionOf((byte)'\n') is { } end)
                {
                    await SendAsync(rest.Slice(0, end), socket, gone);
                    rest = rest.Slice(rest.GetPosition(1, end));
                }

                if (read.IsCompleted && rest.Length > 0)
                {
                    await SendAsync(rest, socket, gone);
                    rest = rest.Slice(rest.End);
                }

                answers.AdvanceTo(rest.Start, rest.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // Nobody listens any more: the call is told by its token, and what it still says is let go.
            await answers.CompleteAsync();
        }
    }

    private static async ValueTask SendAsync(ReadOnlySequence<byte> line, WebSocket socket, CancellationToken gone)
    {
        foreach (ReadOnlyMemory<byte> piece in line)
        {
            await socket.SendAsync(piece, WebSocketMessageType.Text, endOfMessage: false, gone);
        }

        await socket.SendAsync(ReadOnlyMemory<byte>.Empty, WebSocketMessageType.Text, endOfMessage: true, gone);
    }

    private static async Task CloseAsync(WebSocket socket, CancellationTokenSource gone)
    {
        try
        {
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, gone.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // It went first.
        }

        await gone.CancelAsync();
    }
}
