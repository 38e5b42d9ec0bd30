using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Bits that flip in the files of real processes: of a follower, of the leader, at the same place of two of three. Never served, always healed.</summary>
public sealed class RotTests
{
    private const int KeysARound = 20;

    // The last batch of a log cannot be told from one that was never acknowledged: this much of its end is left alone.
    private const double LogShare = 0.8;

    private static readonly string[] Kinds = [".segment", ".wal", "MANIFEST", ".checkpoint"];
    private static readonly TimeSpan HealedWithin = TimeSpan.FromSeconds(60);

    private static ulong Seed => (ulong)LongForm.Number("CAIRN_ROT_SEED", 20261122);

    // The gate runs this many; an endurance run asks for more.
    private static int Rounds => LongForm.Number("CAIRN_ROT_ROUNDS", 4);

    [Fact]
    public async Task Flipped_bits_in_any_file_of_one_or_two_of_three_members_are_never_served_and_heal()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd does not heal");
        var prng = new Prng(Seed);
        await using var cluster = LocalCluster.Prepare();
        foreach (var member in cluster.Members)
        {
            member.Flags = ["--snapshot-count=50", "--compact-hash-check-time=5s"];
        }

        await cluster.LaunchAsync(cluster.Members);
        await using var probe = await MilvusProbe.StartAsync(cluster);
        var written = 0;
        var (answers, refusals) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            written = await WriteAsync(cluster, written);
            var leader = await cluster.LeaderAsync();
            var others = cluster.Members.Where(member => member != leader).ToArray();
            ClusterMember[] victims = (round % 3) switch { 0 => [others[0]], 1 => [leader], _ => others };
            foreach (var victim in victims)
            {
                await victim.KillAsync();
            }

            var where = Flip(victims, Kinds[prng.Below(victims.Length == 1 ? Kinds.Length : 3)], prng);
            foreach (var victim in victims)
            {
                victim.Launch(cluster.Members);
            }

            var (right, refused) = await HealAsync(cluster.Members, victims, written, $"round {round}: {where}");
            (answers, refusals) = (answers + right, refusals + refused);
            await probe.AssertWholeAsync();
            TestContext.Current.SendDiagnosticMessage($"round {round}: {where}; {right} right answers and {refused} refusals before all was well");
        }

        TestContext.Current.SendDiagnosticMessage($"{Rounds} rounds, {written} keys, {answers} right answers, {refusals} refusals, none wrong; {probe.Report()}");
    }

    private static async Task<int> WriteAsync(LocalCluster cluster, int written)
    {
        await using var client = cluster.Connect();
        for (var i = 0; i < KeysARound; i++)
        {
            await LocalCluster.UntilAsync(async () =>
            {
                await client.Kv.PutAsync($"key-{written}", ValueOf(written));
                return true;
            });
            written++;
        }

        return written;
    }

    /// <summary>Flips the same bit of the same kind of file of each member, as far as they are alike.</summary>
    private static string Flip(ClusterMember[] victims, string kind, Prng prng)
    {
        var (which, share, bit) = (prng.Below(1000), prng.Below(1_000_000) / 1e6, prng.Below(8));
        var flipped = new List<string>();
        foreach (var victim in victims)
        {
            // Two logs that lost what they promised leave no quorum that knows: nothing is invented then, and a person decides. So of two, only stores rot.
            var files = Files(victim, victims.Length == 2 && kind == ".wal" ? ".segment" : kind);
            files = files.Length > 0 ? files : Files(victim, "MANIFEST");
            var path = files[which % files.Length];
            var bytes = File.ReadAllBytes(path);
            var used = bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
            var at = (int)(used * share * (path.EndsWith(".wal", StringComparison.Ordinal) ? LogShare : 1));
            bytes[at] ^= (byte)(1 << bit);
            File.WriteAllBytes(path, bytes);
            flipped.Add($"{victim.Name} {Path.GetFileName(path)} byte {at} bit {bit}");
        }

        return string.Join(", ", flipped);
    }

    private static string[] Files(ClusterMember member, string kind) =>
        [.. Directory.GetFiles(Path.Combine(member.DataDirectory, "member"), "*", SearchOption.AllDirectories)
            .Where(path => Path.GetFileName(path).Contains(kind, StringComparison.Ordinal) && !path.EndsWith(".broken", StringComparison.Ordinal) && new FileInfo(path).Length > 0).Order(StringComparer.Ordinal)];

    /// <summary>Reads from all members, the victims first, until every one answers everything right; a wrong answer fails at once.</summary>
    /// <returns>Right answers and refusals on the way.</returns>
    private static async Task<(int Right, int Refused)> HealAsync(ClusterMember[] members, ClusterMember[] victims, int written, string what)
    {
        var (right, refused) = (0, 0);
        var began = TimeProvider.System.GetTimestamp();
        foreach (var member in victims.Concat(members.Except(victims)))
        {
            await using var client = member.Connect();
            for (var next = 0; next < written;)
            {
                Assert.True(
                    TimeProvider.System.GetElapsedTime(began) < HealedWithin,
                    $"{what}; {member.Name} does not answer key-{next}. It said:\n{Tail(member)}\nOthers said:\n{string.Join('\n', victims.Except([member]).Select(Tail))}");
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3));
                try
                {
                    var found = await client.Kv.GetAsync($"key-{next}", patience.Token);
                    Assert.Equal(ValueOf(next), found?.Value.ToStringUtf8());
                    right++;
                    next++;
                    began = TimeProvider.System.GetTimestamp();
                }
                catch (Exception e) when (e is ClientException or OperationCanceledException)
                {
                    refused++;
                    await Task.Delay(TimeSpan.FromMilliseconds(50));
                }
            }
        }

        await LocalCluster.AgreeAsync(members);
        return (right, refused);
    }

    private static string Tail(ClusterMember member) => string.Join('\n', member.Run.Said.Split('\n').TakeLast(30));

    private static string ValueOf(int i) => $"{i}-{new string((char)('a' + (i % 26)), 100)}";
}
