using Cairn.Storage;
using Cairn.Storage.Wal;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Wal;

public sealed class WalCrashTests(ITestOutputHelper output)
{
    private const int Steps = 60;

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Sectors)]
    [InlineData(CrashMode.Bytes)]
    [InlineData(CrashMode.Stale)]
    public async Task Nothing_acknowledged_is_lost_wherever_the_power_goes(CrashMode mode)
    {
        var crashes = 0;
        var segments = 0;
        for (ulong seed = 1; seed <= 8; seed++)
        {
            var whole = new SimulatedDisk(seed);
            await new LogWorkload(seed).RunAsync(whole, Steps);
            segments = Math.Max(segments, (int)WalReader.ListSegments(whole, LogWorkload.Directory)[^1].Sequence);
            for (long operation = 1; operation <= whole.Operations; operation++, crashes++)
            {
                await CrashOnceAsync(seed, operation, mode);
            }
        }

        output.WriteLine($"{mode}: {crashes} crash points, up to {segments} segments");
        Assert.True(crashes > 1000, $"{crashes}");
        Assert.True(segments > 3, $"{segments}");
    }

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Bytes)]
    [InlineData(CrashMode.Stale)]
    public async Task A_crash_while_a_crash_is_repaired_loses_nothing_either(CrashMode mode)
    {
        var crashes = 0;
        for (ulong seed = 11; seed <= 12; seed++)
        {
            var whole = new SimulatedDisk(seed);
            await new LogWorkload(seed).RunAsync(whole, Steps);
            for (long operation = 20; operation <= whole.Operations; operation += 3)
            {
                for (var repair = 1; repair <= 12; repair++, crashes++)
                {
                    var disk = new SimulatedDisk((seed * 1_000_000) + (ulong)(operation * 100) + (ulong)repair);
                    var work = await RunUntilCrashAsync(disk, seed, operation);
                    disk.CutPower(mode);
                    disk.CrashAt(disk.Operations + repair);
                    await TryOpenAsync(disk, work);
                    disk.CutPower(mode);
                    await CheckAsync(disk, work, $"seed {seed}, operation {operation}, repair {repair}, {mode}");
                }
            }
        }

        output.WriteLine($"{mode}: {crashes} pairs of crashes");
        Assert.True(crashes > 1000, $"{crashes}");
    }

    [Fact]
    public async Task What_a_new_process_read_survives_a_power_cut_even_if_the_sync_of_the_old_one_failed()
    {
        for (ulong seed = 1; seed <= 40; seed++)
        {
            // Given a process whose last sync failed, so that the page cache shows what the disk may not have,
            var disk = new SimulatedDisk(seed);
            var work = new LogWorkload(seed);
            var log = await WriteAheadLog.CreateAsync(disk, LogWorkload.Directory, LogWorkload.Metadata, LogWorkload.Options);
            await work.ContinueAsync(log, 20);
            disk.Fail("fdatasync", "", Errno.InputOutput, int.MaxValue);
            await Assert.ThrowsAsync<DiskException>(async () =>
            {
                while (true)
                {
                    await work.ContinueAsync(log, 1);
                }
            });
            disk.Kill();

            // when the next process has opened the log, and the power goes,
            var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, work.Attempted.Opened, LogWorkload.Options);
            await reopened.DisposeAsync();
            disk.CutPower(CrashMode.Lose);

            // then the log still says what it said.
            var (again, after) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, work.Attempted.Opened, LogWorkload.Options);
            await again.DisposeAsync();
            Assert.Equal(contents.State, after.State);
            Assert.Equal(contents.Entries.Select(entry => (entry.Term, entry.Index)), after.Entries.Select(entry => (entry.Term, entry.Index)));
            var acknowledged = work.Acknowledged with { Opened = work.Attempted.Opened };
            Assert.True(acknowledged.Matches(after) || work.Attempted.Matches(after), $"seed {seed}");
        }
    }

    private static async Task CrashOnceAsync(ulong seed, long operation, CrashMode mode)
    {
        var disk = new SimulatedDisk((seed * 1_000_000) + (ulong)operation);
        var work = await RunUntilCrashAsync(disk, seed, operation);
        disk.CutPower(mode);
        await CheckAsync(disk, work, $"seed {seed}, operation {operation}, {mode}");
    }

    private static async Task<LogWorkload> RunUntilCrashAsync(SimulatedDisk disk, ulong seed, long operation)
    {
        var work = new LogWorkload(seed);
        disk.CrashAt(operation);
        try
        {
            await work.RunAsync(disk, Steps);
            Assert.Fail("The crash did not come.");
        }
        catch (SimulatedCrashException)
        {
        }

        return work;
    }

    private static async Task TryOpenAsync(SimulatedDisk disk, LogWorkload work)
    {
        try
        {
            if (WriteAheadLog.Exists(disk, LogWorkload.Directory))
            {
                var (log, _) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, work.Attempted.Opened, LogWorkload.Options);
                await log.DisposeAsync();
            }
        }
        catch (SimulatedCrashException)
        {
        }
    }

    // The log says what was acknowledged, or that and the whole of the call that was under way; and it can be written on and opened again. It is opened after
    // the index that a call under way relied on: whoever releases, or marks, has the state up to there.
    private static async Task CheckAsync(SimulatedDisk disk, LogWorkload work, string where)
    {
        if (!WriteAheadLog.Exists(disk, LogWorkload.Directory))
        {
            Assert.Same(LogModel.Empty, work.Acknowledged);
            return;
        }

        var (log, contents) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, work.Attempted.Opened, LogWorkload.Options);
        var acknowledged = work.Acknowledged with { Opened = work.Attempted.Opened };
        var found = acknowledged.Matches(contents) ? acknowledged : work.Attempted;
        Assert.True(found.Matches(contents), where);
        Assert.Equal(LogWorkload.Metadata, contents.Metadata);
        await work.ResumeAsync(log, found, contents.State, 6);
        await log.DisposeAsync();

        var (again, after) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, work.Attempted.Opened, LogWorkload.Options);
        Assert.True(work.Acknowledged.Matches(after), where + ", written on");
        Assert.Null(after.Repair);
        await again.DisposeAsync();
    }
}
