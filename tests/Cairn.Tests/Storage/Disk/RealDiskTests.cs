using System.Runtime.Versioning;
using Cairn.Storage;
using Cairn.Storage.Wal;
using Cairn.Tests.Storage.Wal;
using Xunit;

namespace Cairn.Tests.Storage.Disk;

[SupportedOSPlatform("linux")]
public sealed class RealDiskTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("cairn-disk-").FullName;
    private readonly RealDisk _disk;

    public RealDiskTests()
    {
        _disk = new RealDisk(Path.Combine(_root, "a", "data"));
    }

    public void Dispose()
    {
        _disk.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task What_is_written_is_read_and_only_the_owner_may_read_it()
    {
        _disk.CreateDirectory("member/wal");
        using (var file = _disk.Open("member/wal/x", OpenIntent.Create))
        {
            file.Write(3, "abc"u8);
            await file.SyncAsync();
            await file.WriteAndSyncAsync(6, "def"u8.ToArray());
            var buffer = new byte[20];
            Assert.Equal(9, file.Read(0, buffer));
            Assert.Equal("\0\0\0abcdef"u8.ToArray(), buffer[..9]);
            Assert.Equal(0, file.Read(50, buffer));
            Assert.Equal(9, file.Length);
            file.SetLength(4);
            file.Allocate(0, 4096);
            Assert.Equal(4096, file.Length);
        }

        await _disk.SyncDirectoryAsync("member/wal");
        await _disk.SyncDirectoryAsync("");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("member/wal/x")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(At("member")));
        Assert.Equal(["x"], _disk.List("member/wal"));
        Assert.True(_disk.FileExists("member/wal/x"));
        Assert.False(_disk.FileExists("member/wal"));
        Assert.True(_disk.DirectoryExists("member/wal"));
        Assert.False(_disk.DirectoryExists("nowhere/at/all"));
        Assert.True(_disk.MeasureSpace().AvailableBytes > 0);
    }

    [Fact]
    public async Task A_directory_that_lies_elsewhere_is_found_under_its_path()
    {
        using var disk = new RealDisk(At("split"), "member/wal", Path.Combine(_root, "b", "log"));
        Assert.True(disk.IsApart);
        Assert.False(disk.DirectoryExists("member/wal"));
        disk.CreateDirectory("member/wal/deeper");
        using (var file = disk.Open("member/wal/x", OpenIntent.Create))
        {
            await file.WriteAndSyncAsync(0, "abc"u8.ToArray());
        }

        await disk.SyncDirectoryAsync("member/wal");
        await disk.SyncDirectoryAsync("member");
        disk.Rename("member/wal/x", "member/wal/deeper/y");

        Assert.Equal("abc", await File.ReadAllTextAsync(Path.Combine(_root, "b", "log", "deeper", "y"), TestContext.Current.CancellationToken));
        Assert.Equal(["deeper"], disk.List("member/wal"));
        Assert.Empty(disk.List("member"));
        Assert.True(disk.MeasureSpace().AvailableBytes > 0);
        using var held = disk.TryLock("member/wal/lock");
        using var other = new RealDisk(At("other"), "member/wal", Path.Combine(_root, "b", "log"));
        Assert.Null(other.TryLock("member/wal/lock"));
    }

    [Fact]
    public void Two_directories_under_one_path_are_refused()
    {
        _disk.CreateDirectory("member/wal");
        using (new RealDisk(At(""), "member/wal", Path.Combine(_root, "b")))
        {
            // One that is empty is no contradiction.
        }

        _disk.Open("member/wal/x", OpenIntent.Create).Dispose();

        var refusal = Assert.Throws<IOException>(() => new RealDisk(At(""), "member/wal", Path.Combine(_root, "b")));

        Assert.Contains("is not empty", refusal.Message, StringComparison.Ordinal);
        using var same = new RealDisk(At(""), "member/wal", At("member/wal"));
        Assert.False(same.IsApart);
    }

    [Fact]
    public async Task Failures_name_path_call_and_errno()
    {
        var missing = Assert.Throws<DiskException>(() => _disk.Open("nothing", OpenIntent.Read));
        Assert.Equal(("nothing", "open", Errno.NotFound), (missing.Path, missing.Operation, missing.Errno));
        Assert.Equal("open nothing: ENOENT (no such file or directory)", missing.Message);

        using var first = _disk.Open("x", OpenIntent.Create);
        Assert.Equal(Errno.Exists, Assert.Throws<DiskException>(() => _disk.Open("x", OpenIntent.Create)).Errno);
        Assert.Equal(Errno.NotFound, Assert.Throws<DiskException>(() => _disk.Delete("y")).Errno);
        Assert.Equal(Errno.NotFound, Assert.Throws<DiskException>(() => _disk.Rename("y", "z")).Errno);
        Assert.Equal(Errno.NotFound, Assert.Throws<DiskException>(() => _disk.List("y")).Errno);
        Assert.Equal(Errno.NotFound, (await Assert.ThrowsAsync<DiskException>(async () => await _disk.SyncDirectoryAsync("y"))).Errno);
    }

    [Fact]
    public void A_directory_that_cannot_be_made_although_its_parent_is_there_is_an_error()
    {
        // Below /proc the parent exists and mkdir says that it does not.
        var error = Assert.Throws<DiskException>(() => new RealDisk("/proc/nothing-can-be-made-here"));

        Assert.Equal(("/proc/nothing-can-be-made-here", "mkdir"), (error.Path, error.Operation));
    }

    [Fact]
    public async Task A_file_that_failed_once_is_refused_from_then_on()
    {
        // Given a file whose writes fail, because it was opened for reading,
        _disk.Open("x", OpenIntent.Create).Dispose();
        using var file = _disk.Open("x", OpenIntent.Read);
        var failure = await Assert.ThrowsAsync<DiskException>(async () => await file.WriteAndSyncAsync(0, new byte[1]));
        Assert.Equal("pwrite", failure.Operation);

        // then even a sync, which would succeed, is refused.
        var refused = await Assert.ThrowsAsync<DiskException>(async () => await file.SyncAsync());
        Assert.StartsWith("refused after a failed pwrite", refused.Operation, StringComparison.Ordinal);
        Assert.Throws<DiskException>(() => file.Write(0, "x"u8));
    }

    [Fact]
    public void A_locked_file_is_refused_to_another_opener_until_released()
    {
        using var other = new RealDisk(At(""));
        var held = _disk.TryLock("x");
        Assert.NotNull(held);
        Assert.Null(other.TryLock("x"));

        // The lock stays with the file when its name changes.
        _disk.Rename("x", "y");
        Assert.Null(other.TryLock("y"));

        held.Dispose();
        using var next = other.TryLock("y");
        Assert.NotNull(next);
    }

    [Fact]
    public async Task A_prepared_file_is_empty_space_whatever_was_there()
    {
        using (var old = _disk.Open("x", OpenIntent.Create))
        {
            old.Write(0, "old"u8);
        }

        using var file = await _disk.PrepareAsync("x", 10_000);
        var content = new byte[20_000];
        Assert.Equal(10_000, file.Read(0, content));
        Assert.All(content, b => Assert.Equal(0, b));
    }

    [Fact]
    public async Task A_continuation_does_not_hold_up_the_next_sync()
    {
        // Given two files of one log, and a continuation of the first sync that blocks its thread,
        using var first = _disk.Open("1", OpenIntent.Create);
        using var second = _disk.Open("2", OpenIntent.Create);
        using var release = new ManualResetEventSlim();
        var blocked = BlockAfterAsync(first, release);

        // then the second sync completes all the same.
        await second.WriteAndSyncAsync(0, new byte[1]);
        release.Set();
        await blocked;
    }

    [Fact]
    public async Task A_log_works_on_it()
    {
        var work = new LogWorkload(99);
        await work.RunAsync(_disk, 80);

        var (log, contents) = await WriteAheadLog.OpenAsync(_disk, LogWorkload.Directory, work.Acknowledged.Opened, LogWorkload.Options);
        Assert.True(work.Acknowledged.Matches(contents));
        await work.ResumeAsync(log, work.Acknowledged, contents.State, 20);
        await log.DisposeAsync();

        var (again, after) = await WriteAheadLog.OpenAsync(_disk, LogWorkload.Directory, work.Acknowledged.Opened, LogWorkload.Options);
        Assert.True(work.Acknowledged.Matches(after));
        await again.DisposeAsync();
    }

    private static async Task BlockAfterAsync(IDiskFile file, ManualResetEventSlim release)
    {
        await file.WriteAndSyncAsync(0, new byte[1]);
        release.Wait();
    }

    private string At(string path) => Path.Combine(_root, "a", "data", path);
}
