using Cairn.Simulation.Disks;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Nodes;

/// <summary>A member that starts on the files of an etcd member.</summary>
public sealed class EtcdImportTests
{
    private static readonly Lazy<EtcdMember> Etcd = new(EtcdMember.Make);

    [Fact]
    public void The_backend_is_taken_over_the_log_goes_on_and_nothing_is_deleted()
    {
        SingleNodeWorld.Run(async world =>
        {
            await Etcd.Value.InstallAsync(world.Disk);

            var node = await world.StartAsync();

            Assert.Equal(Etcd.Value.Contents, await EtcdMember.ReadAsync(node));
            Assert.Equal(Etcd.Value.MemberId, node.Look().MemberId);
            await node.PutAsync("new", "1");
            await node.DisposeAsync();
            Assert.Empty(world.Disk.List("member/snap"));
            var aside = Assert.Single(world.Disk.List("quarantine"));
            Assert.EndsWith("-taken-over-from-etcd", aside, StringComparison.Ordinal);
            Assert.Equal(Etcd.Value.Files["member/snap/db"], EtcdMember.ReadFile(world.Disk, $"quarantine/{aside}/db"));
            node = await world.StartAsync();
            Assert.Equal("1", await node.GetAsync("new"));
            await node.DisposeAsync();
        });
    }

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Bytes)]
    public void A_crash_at_any_moment_of_it_is_harmless(CrashMode mode)
    {
        var operation = 0L;
        for (var wasCrash = true; wasCrash;)
        {
            operation++;
            SingleNodeWorld.Run(
                async world =>
                {
                    await Etcd.Value.InstallAsync(world.Disk);
                    world.Disk.CrashAt(world.Disk.Operations + operation);
                    wasCrash = await CrashAsync(world);
                    if (wasCrash)
                    {
                        world.Disk.CutPower(mode);
                        var node = await world.StartAsync();
                        Assert.Equal(Etcd.Value.Contents, await EtcdMember.ReadAsync(node));
                        await node.DisposeAsync();
                        Assert.Empty(world.Disk.List("member/snap"));
                    }
                },
                seed: (ulong)operation);
        }

        Assert.True(operation > 20, $"only {operation - 1} moments");
    }

    [Fact]
    public void A_backend_that_etcd_has_open_is_not_touched()
    {
        SingleNodeWorld.Run(async world =>
        {
            await Etcd.Value.InstallAsync(world.Disk);
            using var held = world.Disk.TryLockAsBbolt("member/snap/db");

            var refusal = await Assert.ThrowsAsync<IOException>(world.StartAsync);

            Assert.Contains("another process", refusal.Message, StringComparison.Ordinal);
            Assert.Equal(["snap", "wal"], world.Disk.List("member"));
        });
    }

    [Theory]
    [InlineData("member/snap/db", 100)]
    [InlineData("member/snap/db", 10_000)]
    [InlineData("member/wal/0000000000000000-0000000000000000.wal", 200)]
    public void What_is_damaged_is_refused_and_left_as_it_was(string path, int length)
    {
        SingleNodeWorld.Run(async world =>
        {
            await Etcd.Value.InstallAsync(world.Disk);
            world.Disk.Truncate(path, length);

            var damage = await Assert.ThrowsAsync<CorruptionException>(world.StartAsync);

            Assert.Contains("member/", damage.Message, StringComparison.Ordinal);
            Assert.Equal(["snap", "wal"], world.Disk.List("member"));
            Assert.Equal(["member"], world.Disk.List(""));
        });
    }

    [Fact]
    public void A_backend_without_its_log_is_refused()
    {
        SingleNodeWorld.Run(async world =>
        {
            await Etcd.Value.InstallAsync(world.Disk);
            foreach (var name in world.Disk.List("member/wal"))
            {
                world.Disk.Delete($"member/wal/{name}");
            }

            var refusal = await Assert.ThrowsAsync<CorruptionException>(world.StartAsync);

            Assert.Contains("cairn snapshot restore", refusal.Message, StringComparison.Ordinal);
            Assert.Equal(["snap", "wal"], world.Disk.List("member"));
        });
    }

    private static async Task<bool> CrashAsync(SingleNodeWorld world)
    {
        try
        {
            var node = await world.StartAsync();
            await node.DisposeAsync();
            return false;
        }
        catch (Exception crash) when (crash is SimulatedCrashException or TimeoutException or OperationCanceledException)
        {
            return true;
        }
    }
}
