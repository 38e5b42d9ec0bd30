using Cairn.Offline;
using Xunit;

namespace Cairn.Tests.Offline;

/// <summary>A backup is only worth what a restore makes of it: one that is not what was saved is refused before anything is written.</summary>
public sealed class SnapshotRestoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("cairn-restore").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_backup_that_was_flipped_cut_or_swapped_is_refused_and_nothing_is_written()
    {
        byte[] whole = SampleSnapshot.WithChecksum(SampleSnapshot.Image());
        byte[] flipped = [.. whole];
        flipped[whole.Length / 2] ^= 1;
        byte[] otherChecksum = [.. whole[..^32], .. whole[..32]];
        foreach (byte[] damaged in (byte[][])[flipped, otherChecksum, whole[..^512], whole[..^32], whole[..100], []])
        {
            Assert.Equal(1, await RestoreAsync(damaged));
            Assert.False(Directory.Exists(Path.Combine(_directory, "data")));
        }

        Assert.Equal(0, await RestoreAsync(whole));
        Assert.True(Directory.Exists(Path.Combine(_directory, "data", "member")));
    }

    [Fact]
    public async Task A_restore_never_overwrites_what_is_there()
    {
        byte[] whole = SampleSnapshot.WithChecksum(SampleSnapshot.Image());
        Directory.CreateDirectory(Path.Combine(_directory, "data"));
        await File.WriteAllTextAsync(Path.Combine(_directory, "data", "precious"), "1", TestContext.Current.CancellationToken);

        Assert.Equal(1, await RestoreAsync(whole));

        Assert.Equal(["precious"], Directory.EnumerateFileSystemEntries(Path.Combine(_directory, "data")).Select(Path.GetFileName));
    }

    private async Task<int> RestoreAsync(byte[] snapshot)
    {
        string file = Path.Combine(_directory, "backup.db");
        await File.WriteAllBytesAsync(file, snapshot, TestContext.Current.CancellationToken);
        return await SnapshotRestoreCommand.Build().Parse([file, "--data-dir", Path.Combine(_directory, "data")])
            .InvokeAsync(cancellationToken: TestContext.Current.CancellationToken);
    }
}
