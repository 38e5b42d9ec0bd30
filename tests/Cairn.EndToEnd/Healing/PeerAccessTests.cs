using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol.Healing;
using Cairn.Tests.Host.Security;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: members that ask each other for certificates heal as others do, and who shows none is not heard on the paths of healing either.</summary>
public sealed class PeerAccessTests
{
    // What a stranger could do harm with, and what any directory may ask.
    private static readonly string[] Paths = ["/cairn/handshake", "/cairn/rejoin", "/cairn/heal/approve", "/cairn/evict", "/cairn/recover/wish", "/cairn/state/pull", "/cairn/record"];

    [Fact]
    public async Task A_wiped_member_is_healed_by_mutual_TLS_and_nobody_without_a_certificate_of_peers_is_heard()
    {
        using var directory = new ScratchDirectory();
        using var peers = new Authority("peers");
        using var others = new Authority("others");
        using var clients = new Authority("clients");
        var members = Prepare(directory, peers, clients);
        others.Issue(directory.Path, "stranger", "localhost");
        peers.Issue(directory.Path, "operator", "localhost");
        await using var cluster = await HealingCluster.StartAsync(members);
        await cluster.WriteAsync();
        await cluster.WipeAsync(cluster.Members[2]);
        await cluster.WriteAsync();
        await cluster.HealedAsync();

        var peer = new Uri(cluster.Members[0].PeerUrl);
        foreach (var path in Paths)
        {
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => AskAsync(peers, new Uri(peer, path), certificate: null));
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => AskAsync(peers, new Uri(peer, path), Load(directory, "stranger")));
        }

        // With a certificate it is as for Raft's messages: who asks for more than a place must be of this cluster.
        await using var client = cluster.Local.Connect();
        var clusterId = (await client.Cluster.ListAsync()).Header.ClusterId;
        var holder = Load(directory, "operator");
        Assert.Equal(HttpStatusCode.PreconditionFailed, await AskAsync(peers, new Uri(peer, "/raft"), holder));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(peers, new Uri(peer, "/cairn/handshake"), holder));
        foreach (var path in Paths.Skip(2))
        {
            Assert.Equal(HttpStatusCode.PreconditionFailed, await AskAsync(peers, new Uri(peer, path), holder));
            Assert.Equal(HttpStatusCode.PreconditionFailed, await AskAsync(peers, new Uri(peer, path), holder, clusterId + 1));
        }

        Assert.Equal(HttpStatusCode.OK, await AskAsync(peers, new Uri(peer, "/cairn/heal/status"), holder, clusterId));
        Assert.Equal(HttpStatusCode.NotFound, await AskAsync(peers, new Uri(peer, "/cairn/heal/approve"), holder, clusterId));
        await cluster.HealedAsync();
    }

    private static LocalCluster Prepare(ScratchDirectory directory, Authority peers, Authority clients)
    {
        File.WriteAllText(directory["peers.crt"], peers.Pem);
        var members = LocalCluster.Prepare();
        foreach (var member in members.Members)
        {
            peers.Issue(directory.Path, $"{member.Name}-peer", "localhost");
            clients.Issue(directory.Path, member.Name, "localhost");
            member.Flags =
            [
                $"--cert-file={directory[$"{member.Name}.crt"]}", $"--key-file={directory[$"{member.Name}.key"]}",
                $"--peer-cert-file={directory[$"{member.Name}-peer.crt"]}", $"--peer-key-file={directory[$"{member.Name}-peer.key"]}",
                $"--peer-trusted-ca-file={directory["peers.crt"]}", "--peer-client-cert-auth",
            ];
            member.Tls = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown is X509Certificate2 certificate && clients.HasIssued(certificate),
            };
        }

        return members;
    }

    private static X509Certificate2 Load(ScratchDirectory directory, string name) =>
        X509Certificate2.CreateFromPemFile(directory[$"{name}.crt"], directory[$"{name}.key"]);

    private static async Task<HttpStatusCode> AskAsync(Authority peers, Uri url, X509Certificate2? certificate, ulong clusterId = 0)
    {
        using var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown is X509Certificate2 its && peers.HasIssued(its),
                ClientCertificates = certificate is null ? [] : [certificate],
                LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate!, // Null shows none.
            },
        };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(30) };
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(new HealApproveRequest { Key = "wiped-1" }.ToByteArray()) };
        if (clusterId != 0)
        {
            request.Headers.Add("X-Server-Version", "3.5.0");
            request.Headers.Add("X-Min-Cluster-Version", "3.0.0");
            request.Headers.Add("X-Etcd-Cluster-ID", $"{clusterId:x}");
        }

        using var answer = await http.SendAsync(request);
        return answer.StatusCode;
    }
}
