using System.Net;
using System.Net.Sockets;
using Cairn.Host.Peers;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class PeerTargetTests
{
    [Theory]
    [InlineData("http://127.0.0.1:2380", "http://127.0.0.1:2380/raft")]
    [InlineData("https://a.example:2380", "https://a.example:2380/raft")]
    [InlineData("unix://m:1", "http://6d3a31.socket.invalid/raft")]
    [InlineData("unixs:///run/a", "https://2f72756e2f61.socket.invalid/raft")]
    public void A_peer_url_becomes_one_that_http_knows(string url, string expected) => Assert.Equal(expected, PeerTarget.Of(url, "/raft").ToString());

    [Fact]
    public async Task A_socket_of_the_file_system_is_reached_however_long_its_path()
    {
        string directory = Directory.CreateTempSubdirectory("cairn-").FullName;
        try
        {
            string path = Path.Combine(directory, new string('s', 95 - directory.Length));
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            Uri uri = PeerTarget.Of($"unix://{path}", "/");

            await using Stream stream = await PeerTarget.DialAsync(new DnsEndPoint(uri.Host, uri.Port), TestContext.Current.CancellationToken);
            using Socket accepted = await listener.AcceptAsync(TestContext.Current.CancellationToken);
            await accepted.SendAsync(new byte[] { 7 }, TestContext.Current.CancellationToken);

            Assert.Equal(7, stream.ReadByte());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
