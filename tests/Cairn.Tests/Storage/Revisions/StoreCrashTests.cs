using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Revisions;

/// <summary>The whole store, log and checkpoints and manifests, with the power cut at every single operation of the disk.</summary>
public sealed class StoreCrashTests
{
    private const int Steps = 60;

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Sectors)]
    [InlineData(CrashMode.Bytes)]
    [InlineData(CrashMode.Stale)]
    public async Task A_power_cut_anywhere_leaves_exactly_what_the_newest_durable_manifest_says(CrashMode mode)
    {
        var crashes = 0;
        for (var seed = 1ul; seed <= 3; seed++)
        {
            for (var at = 1L; await CrashAsync(seed, at, mode); at++)
            {
                crashes++;
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{mode}: {crashes} crashes");
        Assert.True(crashes > 500, $"only {crashes} crashes");
    }

    // False if the work ended before that operation.
    private static async Task<bool> CrashAsync(ulong seed, long at, CrashMode mode)
    {
        var disk = new SimulatedDisk((seed * 1_000_003) + (ulong)at);
        var before = await WorkUntilCrashAsync(disk, seed, at);
        if (before is null)
        {
            return false;
        }

        disk.CutPower(mode);
        var after = await before.ReopenAndCheckAsync(seed + 77);

        // What comes then must not be disturbed by what the crash left behind, not even by a second crash.
        await after.RunAsync(5);
        after.Check();
        await after.WriteManifestAsync(withCheckpoint: true);
        disk.CutPower(mode);
        await after.ReopenAndCheckAsync(seed + 78);
        return true;
    }

    private static async Task<StoreWorkload?> WorkUntilCrashAsync(SimulatedDisk disk, ulong seed, long at)
    {
        disk.Put($"{StoreWorkload.Directory}/LOCK", []);
        var store = await StoreWorkload.OpenAsync(disk, seed);
        disk.CrashAt(disk.Operations + at);
        try
        {
            await store.RunAsync(Steps);
            return null;
        }
        catch (SimulatedCrashException)
        {
            return store;
        }
    }
}
