using System.Net;
using System.Net.Sockets;
using System.Text;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>Traces reach a collector.</summary>
public sealed class TracingTests
{
    [Fact]
    public async Task A_call_is_sent_to_the_collector_with_the_name_of_the_service()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "the flags have other spellings in older programs");
        using var collector = new TcpListener(IPAddress.Loopback, 0);
        collector.Start();
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(
            directory["data"], "--enable-distributed-tracing", "--distributed-tracing-address", $"{collector.LocalEndpoint}", "--distributed-tracing-service-name", "traced-store",
            "--distributed-tracing-sampling-rate", "1000000");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var client = server.Connect();

        await client.Kv.PutAsync("traced", "1", cancelled: patience.Token);

        using var connection = await collector.AcceptTcpClientAsync(patience.Token);
        var received = new StringBuilder();
        var buffer = new byte[64 * 1024];
        while (!(Said("PRI * HTTP/2.0") && Said("traced-store") && Said("etcdserverpb.KV/Put")))
        {
            var count = await connection.GetStream().ReadAsync(buffer, patience.Token);
            Assert.NotEqual(0, count);
            received.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }

        bool Said(string text) => received.ToString().Contains(text, StringComparison.Ordinal);
    }
}
