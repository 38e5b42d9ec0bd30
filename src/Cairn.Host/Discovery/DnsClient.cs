using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Cairn.Host.Discovery;

/// <summary>Asks the system's name servers for SRV records, for which .NET has no call.</summary>
/// <remarks>Which servers, and which domains are searched: as resolv.conf says. A name is asked as it is, then within each of the domains.</remarks>
/// <param name="servers">The name servers, at least one.</param>
/// <param name="domains">Where names are searched that do not exist as they are.</param>
/// <param name="ask">Sends a question to a server, over TCP if so told, and returns what came; injected, so that tests need no network.</param>
internal sealed class DnsClient(IReadOnlyList<IPEndPoint> servers, IReadOnlyList<string> domains, Func<IPEndPoint, byte[], bool, CancellationToken, Task<byte[]>> ask)
{
    private const int Port = 53;

    // As Go's resolver: each server is asked twice, and may take five seconds.
    private const int RoundsMax = 2;
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    private const int NoSuchName = 3;

    /// <summary>Makes a client of the system's configuration.</summary>
    /// <param name="configuration">Contents of resolv.conf.</param>
    /// <param name="time">The clock of its patience.</param>
    public static DnsClient Of(IEnumerable<string> configuration, TimeProvider time)
    {
        var (servers, domains) = (new List<IPEndPoint>(), new List<string>());
        foreach (string[] words in configuration.Select(static line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)))
        {
            switch (words)
            {
                case ["nameserver", var address, ..] when IPAddress.TryParse(address, out IPAddress? parsed):
                    servers.Add(new IPEndPoint(parsed, Port));
                    break;
                case ["search" or "domain", .. var names]:
                    domains = [.. names];
                    break;
            }
        }

        return new DnsClient(servers.Count > 0 ? servers : [new IPEndPoint(IPAddress.Loopback, Port)], domains, (server, question, overTcp, cancelled) => AskAsync(server, question, overTcp, time, cancelled));
    }

    /// <summary>Looks up the places of a service.</summary>
    /// <param name="name">As in _etcd-server._tcp.example.com.</param>
    /// <param name="cancelled">Ends the search.</param>
    /// <returns>The places; none if no such name exists.</returns>
    /// <exception cref="IOException">No server answered; says which, and why.</exception>
    public async Task<IReadOnlyList<SrvRecord>> FindAsync(string name, CancellationToken cancelled)
    {
        foreach (string full in (IEnumerable<string>)[name, .. domains.Select(domain => $"{name.TrimEnd('.')}.{domain}")])
        {
            if (await AskAllAsync(full, cancelled) is { Code: not NoSuchName, Records.Count: > 0 } answer)
            {
                return answer.Records;
            }
        }

        return [];
    }

    private async Task<DnsAnswer> AskAllAsync(string name, CancellationToken cancelled)
    {
        byte[] question = DnsMessage.Question((ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1), name) ?? throw new IOException($"lookup {name}: this is no name");
        string why = "";
        for (int round = 0; round < RoundsMax; round++)
        {
            foreach (IPEndPoint server in servers)
            {
                try
                {
                    DnsAnswer? answer = DnsMessage.Read(await ask(server, question, false, cancelled), question);
                    answer = answer is { IsCut: true } ? DnsMessage.Read(await ask(server, question, true, cancelled), question) : answer;
                    if (answer is { IsCut: false, Code: 0 or NoSuchName })
                    {
                        return answer;
                    }

                    why = answer is null ? $"{server} answered something else" : $"{server} misbehaves (code {answer.Code})";
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    why = $"{server}: {e.Message}";
                }
            }
        }

        throw new IOException($"lookup {name}: {why}");
    }

    private static async Task<byte[]> AskAsync(IPEndPoint server, byte[] question, bool overTcp, TimeProvider time, CancellationToken cancelled)
    {
        using var limit = new CancellationTokenSource(AnswerWithin, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancelled);
        try
        {
            return overTcp ? await AskOverTcpAsync(server, question, both.Token) : await AskOverUdpAsync(server, question, both.Token);
        }
        catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw new IOException("i/o timeout");
        }
    }

    private static async Task<byte[]> AskOverUdpAsync(IPEndPoint server, byte[] question, CancellationToken cancelled)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancelled); // From now on datagrams of nobody else are taken.
        await socket.SendAsync(question, SocketFlags.None, cancelled);
        byte[] answer = new byte[DnsMessage.BytesMax];
        while (true)
        {
            // A late answer to an earlier question is passed over.
            int length = await socket.ReceiveAsync(answer, SocketFlags.None, cancelled);
            if (length >= 2 && answer.AsSpan(0, 2).SequenceEqual(question.AsSpan(0, 2)))
            {
                return answer[..length];
            }
        }
    }

    private static async Task<byte[]> AskOverTcpAsync(IPEndPoint server, byte[] question, CancellationToken cancelled)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, cancelled);
        await using var stream = new NetworkStream(socket);
        byte[] message = new byte[sizeof(ushort) + question.Length];
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)question.Length);
        question.CopyTo(message, sizeof(ushort));
        await stream.WriteAsync(message, cancelled);
        byte[] head = new byte[sizeof(ushort)];
        await stream.ReadExactlyAsync(head, cancelled);
        byte[] answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(head)];
        await stream.ReadExactlyAsync(answer, cancelled);
        return answer;
    }
}
