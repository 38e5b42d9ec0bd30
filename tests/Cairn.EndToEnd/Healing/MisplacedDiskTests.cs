using System.Net;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: disks that are copied, exchanged, or lost by a member whose list names nobody but itself.</summary>
public sealed class MisplacedDiskTests
{
    [Fact]
    public async Task A_copy_of_a_disk_beside_its_original_is_not_heard_and_says_so()
    {
        using var scratch = new ScratchDirectory();
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var original = cluster.Members[2];
        await original.KillAsync();
        Copy(original.DataDirectory, scratch["copy"]);
        original.Launch(cluster.Members);
        await original.ReadyAsync();
        await using var copy = new ClusterMember(original.Name, scratch["copy"]);
        copy.Launch(cluster.Members);

        await copy.Run.LineAsync(static line => line.Contains("this directory is a copy", StringComparison.Ordinal));

        await LocalCluster.UntilAsync(async () => (await HealingCluster.PageAsync(copy, "livez")).Status == HttpStatusCode.OK, () => copy.Run.Said);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await HealingCluster.PageAsync(copy, "readyz")).Status);
        await cluster.WriteAsync(at: original);
        await cluster.HealedAsync();
    }

    [Fact]
    public async Task Two_members_whose_disks_were_exchanged_are_who_their_disks_say()
    {
        using var scratch = new ScratchDirectory();
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var (one, other) = (cluster.Members[1], cluster.Members[2]);
        await Task.WhenAll(one.KillAsync(), other.KillAsync());
        Directory.Move(one.DataDirectory, scratch["aside"]);
        Directory.Move(other.DataDirectory, one.DataDirectory);
        Directory.Move(scratch["aside"], other.DataDirectory);
        one.Launch(cluster.Members);
        other.Launch(cluster.Members);

        await cluster.HealedAsync();
    }

    [Fact]
    public async Task A_wiped_member_that_founded_a_cluster_of_its_own_gives_way_to_that_of_its_place()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var alone = cluster.Members[2];
        await alone.KillAsync();
        alone.Wipe();
        alone.Launch([alone]);

        await cluster.HealedAsync();
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!); // A file is in a directory.
            File.Copy(file, copy);
        }
    }
}
