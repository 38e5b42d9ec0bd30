using System.Net;
using System.Net.WebSockets;
using System.Text;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>What programs other than gRPC clients find on the port for clients.</summary>
public sealed class GatewayTests(SharedServer shared) : IClassFixture<SharedServer>
{
    // Only a test that fails waits so long.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_watch_over_a_websocket_gets_each_event_as_a_message()
    {
        using var socket = await OpenAsync("/v3/watch");
        await SendAsync(socket, """{"create_request":{"key":"d3M="}}""");
        Assert.Contains("\"created\":true", await ReceiveAsync(socket), StringComparison.Ordinal);

        await shared.Etcdctl.RunAsync("put", "ws", "1");
        Assert.Contains("\"value\":\"MQ==\"", await ReceiveAsync(socket), StringComparison.Ordinal);
        await SendAsync(socket, """{"progress_request":{}}""");
        Assert.Contains("\"watch_id\":\"-1\"", await ReceiveAsync(socket), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_unary_call_over_a_websocket_is_answered_and_closed()
    {
        using var socket = await OpenAsync("/v3/kv/put");
        await SendAsync(socket, """{"key":"dQ==","value":"dg=="}""");

        Assert.Contains("\"header\"", await ReceiveAsync(socket), StringComparison.Ordinal);
        Assert.Null(await ReceiveAsync(socket));
        Assert.Equal("u\nv", await shared.Etcdctl.RunAsync("get", "u"));
    }

    [Theory]
    [InlineData("log", """{"Level":"WARN"}""", HttpStatusCode.NoContent)]
    [InlineData("log", """{"Level":"info"}""", HttpStatusCode.NoContent)]
    [InlineData("log", """{"Level":"loud"}""", HttpStatusCode.BadRequest)]
    [InlineData("log", "loud", HttpStatusCode.BadRequest)]
    [InlineData("quota", """{"QuotaBackendBytes":4294967296}""", HttpStatusCode.NoContent)]
    [InlineData("quota", """{"QuotaBackendBytes":"4G"}""", HttpStatusCode.BadRequest)]
    [InlineData("quota", """{"Level":"info"}""", HttpStatusCode.BadRequest)]
    public async Task Settings_are_changed_while_the_server_runs(string setting, string body, HttpStatusCode status)
    {
        using var client = new HttpClient();
        using var content = new StringContent(body);
        using var response = await client.PutAsync(new Uri($"http://{shared.Server.Endpoint}/config/local/{setting}"), content);

        Assert.Equal(status, response.StatusCode);
    }

    private async Task<ClientWebSocket> OpenAsync(string path)
    {
        var socket = new ClientWebSocket();
        using var patience = new CancellationTokenSource(Patience);
        await socket.ConnectAsync(new Uri($"ws://{shared.Server.Endpoint}{path}"), patience.Token);
        return socket;
    }

    private static async Task SendAsync(ClientWebSocket socket, string text)
    {
        using var patience = new CancellationTokenSource(Patience);
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, patience.Token);
    }

    private static async Task<string?> ReceiveAsync(ClientWebSocket socket)
    {
        using var patience = new CancellationTokenSource(Patience);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, patience.Token);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            text.Append(Encoding.UTF8.GetString(buffer, 0, received.Count));
            if (received.EndOfMessage)
            {
                return text.ToString();
            }
        }
    }
}
