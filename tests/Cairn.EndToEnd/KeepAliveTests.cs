using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>Clients of gRPC ping to see whether the server lives: every few seconds, some of them much more often.</summary>
public sealed class KeepAliveTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private const int Pings = 100;
    private const byte PingType = 6;
    private const byte GoAwayType = 7;
    private const byte Acknowledges = 1;

    // Only a test that fails waits so long.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Pings_are_answered_however_many_there_are_and_nobody_is_sent_away_for_them()
    {
        using var patience = new CancellationTokenSource(Patience);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPEndPoint.Parse(shared.Server.Endpoint), patience.Token);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), patience.Token);
        await stream.WriteAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 }, patience.Token); // Settings without any.
        for (var i = 0; i < Pings; i++)
        {
            await stream.WriteAsync(new byte[] { 0, 0, 8, PingType, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, (byte)i }, patience.Token);
        }

        var head = new byte[9];
        for (var answered = 0; answered < Pings;)
        {
            await stream.ReadExactlyAsync(head, patience.Token);
            await stream.ReadExactlyAsync(new byte[BinaryPrimitives.ReadUInt32BigEndian(head) >> 8], patience.Token);
            Assert.NotEqual(GoAwayType, head[3]);
            answered += head[3] == PingType && (head[4] & Acknowledges) != 0 ? 1 : 0;
        }
    }
}
