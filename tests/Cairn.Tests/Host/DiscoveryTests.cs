using System.Net;
using System.Net.Sockets;
using Cairn.Host;
using Cairn.Host.Discovery;
using Cairn.Server;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class DiscoveryTests
{
    private const string Service = "_etcd-server._tcp.example.com";

    // As dnsmasq answers for two records of which the second points to the name in the question.
    private static readonly byte[] Records =
    [
        0, 0, 0, 10, 9, 0x4b, 2, (byte)'m', (byte)'0', 0xc0, 0x1e,
    ];

    [Fact]
    public void A_question_is_written_as_name_servers_expect_it()
    {
        byte[]? question = DnsMessage.Question(0x1234, "_a._tcp.b");

        Assert.Equal([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, (byte)'_', (byte)'a', 4, (byte)'_', (byte)'t', (byte)'c', (byte)'p', 1, (byte)'b', 0, 0, 33, 0, 1], question);
        Assert.Null(DnsMessage.Question(1, "a..b"));
        Assert.Null(DnsMessage.Question(1, new string('a', 64)));
        Assert.Null(DnsMessage.Question(1, string.Join('.', Enumerable.Repeat("abcdefgh", 40))));
    }

    [Fact]
    public void Places_are_read_with_names_that_point_into_the_message()
    {
        byte[] question = Question();

        DnsAnswer? answer = DnsMessage.Read(Answer(question, (20, 2380, "m1.example.com"), (10, 2381, "m0.example.com")), question);
        DnsAnswer? pointed = DnsMessage.Read([.. Head(question, count: 1), .. Row(Records)], question);

        Assert.Equal([new SrvRecord(10, 2381, "m0.example.com"), new SrvRecord(20, 2380, "m1.example.com")], answer?.Records);
        Assert.Equal([new SrvRecord(0, 2379, "m0.example.com")], pointed?.Records);
    }

    [Fact]
    public void Whatever_is_no_answer_is_none()
    {
        byte[] question = Question();
        byte[] answer = Answer(question, (1, 2380, "m1.example.com"));
        for (int length = 0; length < answer.Length; length++)
        {
            Assert.Null(DnsMessage.Read(answer.AsSpan(0, length), question));
        }

        byte[] ofOther = [.. answer];
        ofOther[0] ^= 1;
        Assert.Null(DnsMessage.Read(ofOther, question));

        var chance = new Prng(7);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] broken = [.. answer];
            for (int flips = 0; flips < 3; flips++)
            {
                broken[12 + (int)chance.Below((ulong)(broken.Length - 12))] = (byte)chance.Below(256);
            }

            DnsMessage.Read(broken, question);
        }
    }

    [Fact]
    public void A_name_that_points_to_itself_is_no_name()
    {
        byte[] question = Question();
        byte[] head = Head(question, count: 1);

        // The target begins 18 bytes behind the head.
        Assert.Null(DnsMessage.Read([.. head, .. Row([0, 0, 0, 0, 9, 0x4b, 0xc0, (byte)(head.Length + 18), 0])], question));
    }

    [Fact]
    public async Task The_next_server_is_asked_when_one_fails_and_the_same_over_tcp_when_the_answer_is_too_long()
    {
        var asked = new List<string>();
        var client = new DnsClient([Server(1), Server(2)], [], (server, question, overTcp, _) =>
        {
            asked.Add($"{server.Port}{(overTcp ? " tcp" : "")}");
            byte[] answer = Answer(question, (1, 2380, "m1.example.com"));
            answer[2] |= (byte)(overTcp ? 0 : 2);
            return server.Port == 1 ? throw new SocketException((int)SocketError.ConnectionRefused) : Task.FromResult(answer);
        });

        Assert.Equal("m1.example.com", Assert.Single(await client.FindAsync(Service, TestContext.Current.CancellationToken)).Target);
        Assert.Equal(["1", "2", "2 tcp"], asked);
    }

    [Fact]
    public async Task A_name_that_does_not_exist_is_searched_in_the_domains_and_servers_that_never_answer_are_named()
    {
        DnsClient searching = Client((name, question) => name.EndsWith(".cluster.local", StringComparison.Ordinal) ? Answer(question, (1, 2380, "m1")) : Nothing(question), "svc.local", "cluster.local");
        DnsClient mute = Client(static (_, _) => throw new IOException("i/o timeout"));

        Assert.Single(await searching.FindAsync("_etcd-server._tcp.etcd", TestContext.Current.CancellationToken));
        Assert.Empty(await Client(static (_, question) => Nothing(question)).FindAsync(Service, TestContext.Current.CancellationToken));
        var failed = await Assert.ThrowsAsync<IOException>(() => mute.FindAsync(Service, TestContext.Current.CancellationToken));
        Assert.Equal($"lookup {Service}: 127.0.0.1:53: i/o timeout", failed.Message);
    }

    [Fact]
    public async Task This_member_is_recognized_by_its_address_and_the_others_go_by_theirs()
    {
        SrvDiscovery discovery = Discovery((Service, 2380, "a.example.com"), (Service, 2380, "b.example.com"));

        IEnumerable<InitialMember> members = await discovery.MembersAsync("example.com", "", "n1", ["http://10.0.0.2:2380"], TestContext.Current.CancellationToken);

        Assert.Equal(["a.example.com:2380=http://a.example.com:2380", "n1=http://b.example.com:2380"], members.Select(static member => $"{member.Name}={string.Join(',', member.PeerUrls)}"));
    }

    [Theory]
    [InlineData("cannot find local etcd member \"n1\" in SRV records", "http://10.0.0.9:2380")]
    [InlineData("cannot find local etcd member \"n1\" in SRV records", "http://10.0.0.2:2399")]
    [InlineData("bootstrap at http://b.example.com:2380 from DNS has scheme mismatch with expected peer https://10.0.0.2:2380", "https://10.0.0.2:2380")]
    public async Task Records_that_do_not_fit_this_member_are_refused(string fault, string peerUrl)
    {
        SrvDiscovery discovery = Discovery((Service, 2380, "a.example.com"), (Service, 2380, "b.example.com"));

        var refused = await Assert.ThrowsAsync<FlagException>(() => discovery.MembersAsync("example.com", "", "n1", [peerUrl], TestContext.Current.CancellationToken));

        Assert.Contains(fault, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_are_shown_what_speaks_tls_and_the_rest_if_they_say_so()
    {
        SrvDiscovery both = Discovery(("_etcd-client-ssl-x._tcp.example.com", 2379, "a.example.com"), ("_etcd-client-x._tcp.example.com", 2379, "b.example.com"));
        SrvDiscovery plain = Discovery(("_etcd-client._tcp.example.com", 2379, "b.example.com"));
        CancellationToken cancelled = TestContext.Current.CancellationToken;

        Assert.Equal(["https://a.example.com:2379"], await both.EndpointsAsync(new ClientDomain("example.com", "x", TakesPlain: false), cancelled));
        Assert.Equal(["https://a.example.com:2379", "http://b.example.com:2379"], await both.EndpointsAsync(new ClientDomain("example.com", "x", TakesPlain: true), cancelled));
        var refused = await Assert.ThrowsAsync<FlagException>(() => plain.EndpointsAsync(new ClientDomain("example.com", "", TakesPlain: false), cancelled));
        Assert.Contains("--insecure-discovery", refused.Message, StringComparison.Ordinal);
    }

    private static SrvDiscovery Discovery(params (string Service, ushort Port, string Target)[] records) => new(
        (name, _) => Task.FromResult<IReadOnlyList<SrvRecord>>([.. records.Where(record => record.Service == name).Select(static record => new SrvRecord(0, record.Port, record.Target))]),
        static (host, _) => Task.FromResult<IPAddress[]>(host switch
        {
            "a.example.com" => [IPAddress.Parse("10.0.0.1")],
            "b.example.com" => [IPAddress.IPv6Loopback, IPAddress.Parse("10.0.0.2")],
            _ => [IPAddress.Parse(host)],
        }));

    private static IPEndPoint Server(int port) => new(IPAddress.Loopback, port);

    private static DnsClient Client(Func<string, byte[], byte[]> answer, params string[] domains) =>
        new([Server(53)], domains, (_, question, _, _) => Task.FromResult(answer(NameIn(question), question)));

    private static string NameIn(byte[] question)
    {
        var labels = new List<string>();
        for (int at = 12; question[at] > 0; at += question[at] + 1)
        {
            labels.Add(System.Text.Encoding.ASCII.GetString(question, at + 1, question[at]));
        }

        return string.Join('.', labels);
    }

    private static byte[] Question() => DnsMessage.Question(77, Service)!; // It is a name.

    private static byte[] Head(byte[] question, int count)
    {
        byte[] head = [.. question];
        (head[2], head[7]) = (0x81, (byte)count);
        return head;
    }

    private static byte[] Nothing(byte[] question)
    {
        byte[] head = Head(question, count: 0);
        head[3] = 3;
        return head;
    }

    private static byte[] Row(byte[] data) => [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, (byte)data.Length, .. data];

    private static byte[] Answer(byte[] question, params (int Priority, int Port, string Target)[] records) =>
    [
        .. Head(question, records.Length),
        .. records.SelectMany(static record => Row(
        [
            0, (byte)record.Priority, 0, 0, (byte)(record.Port >> 8), (byte)record.Port,
            .. record.Target.Split('.').SelectMany(static label => (byte[])[(byte)label.Length, .. System.Text.Encoding.ASCII.GetBytes(label)]), 0,
        ])),
    ];
}
