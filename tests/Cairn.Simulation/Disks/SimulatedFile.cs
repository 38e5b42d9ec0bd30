using Cairn.Storage;

namespace Cairn.Simulation.Disks;

/// <summary>An open file of <see cref="SimulatedDisk"/>. After a failed write or sync it refuses to be written or synced, as a file of the real disk does.</summary>
internal sealed class SimulatedFile(SimulatedDisk disk, SimulatedInode inode, string path) : IDiskFile
{
    private readonly int _life = disk.Life;
    private DiskException? _failure;

    public string Path { get; } = path;

    public long Length
    {
        get
        {
            disk.ThrowIfOff(_life);
            return inode.Cache.Length;
        }
    }

    public int Read(long offset, Span<byte> destination)
    {
        disk.ThrowIfOff(_life);
        var count = (int)Math.Clamp(inode.Cache.Length - offset, 0, destination.Length);
        inode.Cache.Read(offset, destination[..count]);
        return count;
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        ThrowIfFailed();
        try
        {
            disk.TakeSpace(offset + source.Length - inode.Cache.Length, Path, "pwrite");
            var crash = disk.Count("pwrite", Path);
            inode.Write(offset, source);
            disk.CrashIf(crash);
        }
        catch (DiskException failure)
        {
            _failure = failure;
            throw;
        }
    }

    public void Allocate(long offset, long length)
    {
        ThrowIfFailed();
        var crash = disk.Count("fallocate", Path);
        disk.TakeSpace(offset + length - inode.Cache.Length, Path, "fallocate");
        inode.SetLength(Math.Max(inode.Cache.Length, offset + length));
        disk.CrashIf(crash);
    }

    public void SetLength(long length)
    {
        ThrowIfFailed();
        var crash = disk.Count("ftruncate", Path);
        inode.SetLength(length);
        disk.CrashIf(crash);
    }

    public async ValueTask SyncAsync()
    {
        ThrowIfFailed();
        await disk.DelayAsync();
        Sync();
    }

    public async ValueTask WriteAndSyncAsync(long offset, ReadOnlyMemory<byte> source)
    {
        Write(offset, source.Span);
        await disk.DelayAsync();
        if (!disk.IsLying)
        {
            Sync();
            disk.Synced?.Invoke(Path, source);
        }
    }

    public void Dispose()
    {
    }

    private void Sync()
    {
        ThrowIfFailed();
        try
        {
            disk.CrashIf(disk.Count("fdatasync", Path));
            inode.Sync();
        }
        catch (DiskException failure)
        {
            disk.FailSync(inode);
            _failure = failure;
            throw;
        }
    }

    private void ThrowIfFailed()
    {
        disk.ThrowIfOff(_life);
        if (_failure is { } failure)
        {
            throw new DiskException(Path, $"refused after a failed {failure.Operation}:", failure.Errno);
        }
    }
}
