using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cairn.Storage;

/// <summary>An open file of <see cref="RealDisk"/>.</summary>
/// <remarks>After a failed write or sync it refuses to be written or synced again: what the page cache then shows proves nothing about the disk.</remarks>
internal sealed class RealFile : IDiskFile
{
    private readonly RealDisk _disk;
    private readonly SafeFileHandle _handle;
    private SyncRequest? _spare;
    private volatile DiskException? _failure;
    private DiskThreads _threads;

    /// <summary>Wraps an open handle.</summary>
    /// <param name="disk">Whose threads sync it.</param>
    /// <param name="handle">Owned from here on.</param>
    /// <param name="path">Relative to the data directory.</param>
    public RealFile(RealDisk disk, SafeFileHandle handle, string path)
    {
        _disk = disk;
        _handle = handle;
        _threads = disk.BackgroundThreads;
        Path = path;
    }

    /// <inheritdoc/>
    public string Path { get; }

    /// <inheritdoc/>
    public long Length
    {
        get
        {
            var length = LinuxCalls.Seek(_handle, 0, LinuxCalls.SeekEnd);
            return length >= 0 ? length : throw Error("lseek");
        }
    }

    /// <inheritdoc/>
    public unsafe int Read(long offset, Span<byte> destination)
    {
        Invariant.Holds(offset >= 0);
        var done = 0;
        fixed (byte* start = destination)
        {
            while (done < destination.Length)
            {
                var count = LinuxCalls.Read(_handle, start + done, destination.Length - done, offset + done);
                if (count == 0)
                {
                    break;
                }

                if (count > 0)
                {
                    done += (int)count;
                }
                else if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
                {
                    throw Error("pread");
                }
            }
        }

        return done;
    }

    /// <inheritdoc/>
    public unsafe void Write(long offset, ReadOnlySpan<byte> source)
    {
        Invariant.Holds(offset >= 0);
        ThrowIfFailed();
        fixed (byte* start = source)
        {
            for (var done = 0; done < source.Length;)
            {
                var count = LinuxCalls.Write(_handle, start + done, source.Length - done, offset + done);
                if (count >= 0)
                {
                    done += (int)count;
                }
                else if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
                {
                    throw Fail("pwrite");
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source) => _disk.RunAsync(() => Write(offset, source.Span));

    /// <inheritdoc/>
    public void Allocate(long offset, long length)
    {
        ThrowIfFailed();
        while (LinuxCalls.Allocate(_handle, 0, offset, length) != 0)
        {
            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.Interrupted:
                    break;
                case Errno.NotSupported:
                    // A file system that cannot reserve still has to read zeros there; running out of space is then noticed by the write.
                    SetLength(Math.Max(Length, offset + length));
                    return;
                default:
                    throw Error("fallocate");
            }
        }
    }

    /// <inheritdoc/>
    public void SetLength(long length)
    {
        ThrowIfFailed();
        while (LinuxCalls.Truncate(_handle, length) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
            {
                throw Error("ftruncate");
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask SyncAsync() => TakeRequest().Start(_threads, 0, default);

    /// <inheritdoc/>
    public ValueTask WriteAndSyncAsync(long offset, ReadOnlyMemory<byte> source)
    {
        if (_threads == _disk.BackgroundThreads)
        {
            _threads = _disk.LogThreadOf(Path);
        }

        return TakeRequest().Start(_threads, offset, source);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    /// <summary>The blocking form, on a thread of the disk.</summary>
    /// <param name="offset">Where to write.</param>
    /// <param name="source">What to write; may be empty.</param>
    /// <exception cref="DiskException">The write or the sync failed, or an earlier one did.</exception>
    public void WriteAndSync(long offset, ReadOnlySpan<byte> source)
    {
        ThrowIfFailed();
        if (!source.IsEmpty)
        {
            Write(offset, source);
        }

        while (LinuxCalls.SyncData(_handle) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
            {
                throw Fail("fdatasync");
            }
        }
    }

    /// <summary>Makes a finished request ready for its next use.</summary>
    /// <param name="request">A request of this file that nobody awaits any more.</param>
    public void TakeBack(SyncRequest request) => Volatile.Write(ref _spare, request);

    private SyncRequest TakeRequest() => Interlocked.Exchange(ref _spare, null) ?? new SyncRequest(this);

    private void ThrowIfFailed()
    {
        if (_failure is { } failure)
        {
            throw new DiskException(Path, $"refused after a failed {failure.Operation}:", failure.Errno);
        }
    }

    private DiskException Fail(string operation)
    {
        var failure = Error(operation);
        _failure = failure;
        return failure;
    }

    private DiskException Error(string operation) => new(Path, operation, Marshal.GetLastPInvokeError());
}
