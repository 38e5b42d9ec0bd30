using Cairn.Server;
using Cairn.Server.Healing;
using Cairn.Server.Membership;
using Cairn.Simulation.Disks;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Xunit;

namespace Cairn.Tests.Server.Healing;

/// <summary>What is moved aside is there afterwards, whole, whenever the power goes.</summary>
public sealed class QuarantineTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public async Task Everything_is_moved_and_the_directory_is_empty()
    {
        var disk = await MakeDiskAsync();
        await MoveAsync(disk);

        Assert.Equal(["lock", "returning"], disk.List("member"));
        Assert.Equal(5UL, MemberMemory.Read(Quarantine.ReadNote(disk)).Replaces);
        Assert.Equal(["snap", "store", "wal"], disk.List("quarantine/20260102T030405Z-removed"));
        Assert.Equal("entries", System.Text.Encoding.UTF8.GetString(disk.ReadAll("quarantine/20260102T030405Z-removed/wal/0.wal")));
    }

    [Fact]
    public async Task A_log_in_a_directory_of_its_own_is_moved_within_that()
    {
        var root = Directory.CreateTempSubdirectory("cairn-quarantine-");
        using (var disk = new RealDisk($"{root.FullName}/data", DataDirectory.Wal, $"{root.FullName}/log"))
        {
            disk.CreateDirectory(DataDirectory.Wal);
            using (var segment = disk.Open($"{DataDirectory.Wal}/0.wal", OpenIntent.Create))
            {
                await segment.WriteAndSyncAsync(0, "entries"u8.ToArray());
            }

            await WriteManifestAsync(disk);
            await MoveAsync(disk);

            Assert.Equal(["returning"], disk.List("member"));
            Assert.Equal(["quarantine"], disk.List(DataDirectory.Wal));
            Assert.Equal(["store"], disk.List("quarantine/20260102T030405Z-removed"));
        }

        Assert.Equal("entries", await File.ReadAllTextAsync($"{root.FullName}/log/quarantine/20260102T030405Z-removed/0.wal", TestContext.Current.CancellationToken));
        root.Delete(recursive: true);
    }

    [Fact]
    public async Task A_second_one_in_the_same_second_gets_a_name_of_its_own()
    {
        var disk = await MakeDiskAsync();
        await MoveAsync(disk);
        await FillAsync(disk);
        await MoveAsync(disk);

        Assert.Equal(["20260102T030405Z-removed", "20260102T030405Z-removed-2"], disk.List("quarantine"));
    }

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Sectors)]
    public async Task A_power_cut_anywhere_leaves_it_as_it_was_or_goes_on_after_a_restart(CrashMode mode)
    {
        var crashes = 0;
        for (var at = 1L; await CrashAsync(at, mode); at++)
        {
            crashes++;
        }

        Assert.True(crashes > 10, $"only {crashes} crashes");
    }

    private static async Task<bool> CrashAsync(long at, CrashMode mode)
    {
        var disk = await MakeDiskAsync(seed: (ulong)at);
        disk.CrashAt(disk.Operations + at);
        try
        {
            await MoveAsync(disk);
            return false;
        }
        catch (SimulatedCrashException)
        {
            disk.CutPower(mode);
        }

        // As a start does: whoever finds the decision goes on with it; whoever finds no manifest finds nothing else, either.
        var manifests = await ManifestStore.OpenAsync(disk, DataDirectory.Store);
        var memory = MemberMemory.Read(manifests.Newest is { } newest ? newest.MemberState.Span : []);
        if (manifests.Newest is null)
        {
            Assert.DoesNotContain("wal", disk.List("member"));
        }
        else if (memory.Quarantine.Length > 0)
        {
            await Quarantine.FinishAsync(disk, memory, memberId: 5);
        }
        else
        {
            Assert.Contains("wal", disk.List("member"));
            await MoveAsync(disk);
        }

        var moved = disk.List("quarantine").Select(name => $"quarantine/{name}").SelectMany(path => disk.List(path)).Order();
        Assert.Equal(["snap", "store", "wal"], moved);
        Assert.Equal(5UL, MemberMemory.Read(Quarantine.ReadNote(disk)).Replaces);
        return true;
    }

    private static async Task MoveAsync(IDisk disk)
    {
        var manifests = await ManifestStore.OpenAsync(disk, DataDirectory.Store);
        var memory = MemberMemory.Read(manifests.Newest!.MemberState.Span);
        await Quarantine.DecideAsync(disk, manifests, memory, "removed", Now);
        await Quarantine.FinishAsync(disk, memory, memberId: 5);
    }

    private static async Task<SimulatedDisk> MakeDiskAsync(ulong seed = 1)
    {
        var disk = new SimulatedDisk(seed);
        await FillAsync(disk);
        return disk;
    }

    private static async Task FillAsync(SimulatedDisk disk)
    {
        disk.Put("member/lock", []);
        disk.Put("member/wal/0.wal", "entries"u8);
        disk.Put("member/snap/db", "pages"u8);
        await WriteManifestAsync(disk);
    }

    private static async Task WriteManifestAsync(IDisk disk)
    {
        var manifests = await ManifestStore.OpenAsync(disk, DataDirectory.Store);
        await manifests.WriteAsync(new ManifestContents { Identity = new ManifestIdentity { Incarnation = 7, Token = "t" }, CurrentRevision = 1 });
    }
}
