using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Cairn.Tests.Host.Security;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Certificates, keys and authorities that are replaced while members serve: under load, with garbage between, and with one that runs out.</summary>
/// <remarks>CAIRN_ROTATIONS says how often everything is replaced.</remarks>
public sealed class RotationTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    // Longer than a round takes, so that what was not replaced runs out within the test.
    private static readonly TimeSpan Lives = TimeSpan.FromSeconds(90);

    private static int Rotations => LongForm.Number("CAIRN_ROTATIONS", 2);

    [Fact]
    public async Task Certificates_and_authorities_are_replaced_under_load_and_nobody_notices()
    {
        using var directory = new ScratchDirectory();
        var authorities = new List<Authority> { new("authority-0") };
        await using var cluster = LocalCluster.Prepare();
        Prepare(cluster, directory.Path, authorities);
        await cluster.LaunchAsync(cluster.Members);
        await using var probe = await MilvusProbe.StartAsync(cluster);
        for (var round = 1; round <= Rotations; round++)
        {
            // Files are replaced one after the other; between them, some hold nonsense, and a key is not that of its certificate.
            await GarbleAsync(cluster, directory.Path);
            await ConnectAnewAsync(cluster);
            authorities.Add(new Authority($"authority-{round}"));
            Trust(directory.Path, authorities[^2], authorities[^1]);
            await ConnectAnewAsync(cluster);
            Issue(cluster, directory.Path, authorities[^1]);
            await ConnectAnewAsync(cluster);
            Trust(directory.Path, authorities[^1]);

            // A member that starts shakes hands with everybody.
            var restarted = cluster.Members[round % cluster.Members.Length];
            await restarted.KillAsync();
            restarted.Launch(cluster.Members);
            await restarted.ReadyAsync();
            await ConnectAnewAsync(cluster);
            await probe.WorkAsync(Pause);
        }

        await LetOneRunOutAsync(cluster, directory.Path, authorities[^1]);
        await LocalCluster.AgreeAsync(cluster.Members);
        TestContext.Current.TestOutputHelper?.WriteLine($"everything replaced {Rotations} times: {probe.Report()}");
        await probe.AssertWholeAsync();
        authorities.ForEach(static authority => authority.Dispose());
    }

    private static void Prepare(LocalCluster cluster, string directory, List<Authority> authorities)
    {
        Trust(directory, authorities[0]);
        foreach (var member in cluster.Members)
        {
            var (certificate, key, authority) = (Path.Combine(directory, $"{member.Name}.crt"), Path.Combine(directory, $"{member.Name}.key"), Path.Combine(directory, "ca.crt"));
            member.Flags =
            [
                $"--cert-file={certificate}", $"--key-file={key}", $"--trusted-ca-file={authority}", "--client-cert-auth",
                $"--peer-cert-file={certificate}", $"--peer-key-file={key}", $"--peer-trusted-ca-file={authority}", "--peer-client-cert-auth",
            ];
            member.Tls = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, shown, _, _) => shown is X509Certificate2 certificate && authorities.Any(known => known.HasIssued(certificate)),
                LocalCertificateSelectionCallback = (_, _, _, _, _) => X509Certificate2.CreateFromPemFile(Path.Combine(directory, "client.crt"), Path.Combine(directory, "client.key")),
            };
        }

        Issue(cluster, directory, authorities[0]);
    }

    private static void Trust(string directory, params Authority[] authorities) =>
        File.WriteAllText(Path.Combine(directory, "ca.crt"), string.Concat(authorities.Select(static authority => authority.Pem)));

    private static void Issue(LocalCluster cluster, string directory, Authority authority)
    {
        foreach (var member in cluster.Members)
        {
            authority.Issue(directory, member.Name, "localhost", Lives);
        }

        authority.Issue(directory, "client", "localhost", Lives);
    }

    /// <summary>Puts nonsense into files of all members, and takes it out again.</summary>
    private static async Task GarbleAsync(LocalCluster cluster, string directory)
    {
        string[] files = [.. cluster.Members.Select((member, i) => Path.Combine(directory, $"{member.Name}.{(i % 2 == 0 ? "crt" : "key")}")), Path.Combine(directory, "ca.crt")];
        var before = files.Select(File.ReadAllText).ToArray();
        foreach (var file in files)
        {
            await File.WriteAllTextAsync(file, "-----BEGIN CERTIFICATE-----\nnonsense\n");
        }

        await ConnectAnewAsync(cluster);
        foreach (var (file, text) in files.Zip(before))
        {
            await File.WriteAllTextAsync(file, text);
        }
    }

    /// <summary>Shakes hands with every member as a client that was not there before.</summary>
    private static async Task ConnectAnewAsync(LocalCluster cluster)
    {
        foreach (var member in cluster.Members)
        {
            await LocalCluster.UntilAsync(async () =>
            {
                await using var client = member.Connect();
                return (await client.Kv.PutAsync("rotation", member.Name)).Header.Revision > 0;
            });
        }
    }

    /// <summary>Starts a member whose certificate has run out: the others go on without it, and it comes when it has a good one.</summary>
    private static async Task LetOneRunOutAsync(LocalCluster cluster, string directory, Authority authority)
    {
        var late = cluster.Members[^1];
        await late.KillAsync();
        authority.Issue(directory, late.Name, "localhost", TimeSpan.Zero);
        late.Launch(cluster.Members);
        await using var client = cluster.Members[0].Connect();
        for (var i = 0; i < 20; i++)
        {
            await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("without it", $"{i}")).Header.Revision > 0);
        }

        if (ServerBinary.IsCairn)
        {
            // It has read its files by then.
            await late.Run.LineAsync(static line => line.Contains("a certificate expires soon", StringComparison.Ordinal));
        }

        authority.Issue(directory, late.Name, "localhost", Lives);
        await late.ReadyAsync();
    }
}
