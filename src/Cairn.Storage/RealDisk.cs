using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cairn.Storage;

/// <summary>The files of a data directory on Linux.</summary>
/// <remarks>
/// <para>
/// Thread-safe. Owns the threads that block on the disk: one for each directory that holds a log (<see cref="IDiskFile.WriteAndSyncAsync"/>), so that a
/// group commit never queues behind somebody else's sync, and a few for everything else.
/// </para>
/// <para>Files are made with mode 0600, directories with 0700. Every errno but EINTR is a failure.</para>
/// </remarks>
public sealed class RealDisk : IDisk, IDisposable
{
    // Enough for a checkpoint, a segment, a directory and a log segment in preparation to be synced at once, with some to spare.
    private const int BackgroundThreadsMax = 6;
    private const uint PrivateFile = 0x180; // rw-------.
    private const uint PrivateDirectory = 0x1C0; // rwx------.
    private const int FileKindMask = 0xF000;
    private const int DirectoryKind = 0x4000;

    private readonly string _root;
    private readonly string? _apart;
    private readonly string _apartRoot = "";
    private readonly DiskThreads _background = new("disk", BackgroundThreadsMax);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, DiskThreads> _logs = [];
    private bool _disposed;

    /// <summary>Opens a data directory, making it if need be.</summary>
    /// <param name="root">The data directory.</param>
    /// <exception cref="DiskException">The directory is not there and cannot be made.</exception>
    public RealDisk(string root)
    {
        _root = Path.GetFullPath(root);
        MakeWithParents(_root);
    }

    /// <summary>Opens a data directory of which one directory lies elsewhere, on another disk perhaps. Everybody above finds it under the path that it would have within.</summary>
    /// <param name="root">The data directory.</param>
    /// <param name="apart">Path within the data directory under which it is found. It is not listed in its parent, and cannot be renamed.</param>
    /// <param name="apartRoot">Where it lies; null for within the data directory.</param>
    /// <exception cref="DiskException">The data directory is not there and cannot be made.</exception>
    /// <exception cref="IOException">There is such a directory within the data directory too, and something in it.</exception>
    public RealDisk(string root, string apart, string? apartRoot)
        : this(root)
    {
        if (apartRoot is null || Path.GetFullPath(apartRoot) == Path.GetFullPath(Full(apart)))
        {
            return;
        }

        if (DirectoryExists(apart) && List(apart).Count > 0)
        {
            throw new IOException($"{Full(apart)} is not empty, and {apartRoot} is named in its place: move what is in it there, or do not name another directory");
        }

        (_apart, _apartRoot) = (apart, Path.GetFullPath(apartRoot));
    }

    /// <summary>Whether one directory lies elsewhere.</summary>
    public bool IsApart => _apart is not null;

    /// <inheritdoc/>
    public bool FileExists(string path) => KindOf(path, Full(path)) is not (0 or DirectoryKind);

    /// <inheritdoc/>
    public bool DirectoryExists(string path) => KindOf(path, Full(path)) == DirectoryKind;

    /// <inheritdoc/>
    public IReadOnlyList<string> List(string path)
    {
        try
        {
            var names = Directory.EnumerateFileSystemEntries(Full(path)).Select(entry => Path.GetFileName(entry)).ToList();
            names.Sort(StringComparer.Ordinal);
            return names;
        }
        catch (UnauthorizedAccessException)
        {
            throw new DiskException(path, "opendir", Errno.AccessDenied);
        }
        catch (DirectoryNotFoundException)
        {
            throw new DiskException(path, "opendir", Errno.NotFound);
        }
    }

    /// <inheritdoc/>
    public void CreateDirectory(string path)
    {
        var made = "";
        foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            made = made.Length == 0 ? name : $"{made}/{name}";
            if (made == _apart)
            {
                MakeWithParents(_apartRoot);
                continue;
            }

            if (LinuxCalls.MakeDirectory(Full(made), PrivateDirectory) != 0 && !(LastError == Errno.Exists && DirectoryExists(made)))
            {
                throw Error(made, "mkdir");
            }
        }
    }

    /// <inheritdoc/>
    public IDiskFile Open(string path, OpenIntent intent) => new RealFile(this, OpenHandle(path, FlagsOf(intent)), path);

    /// <inheritdoc/>
    public ValueTask<IDiskFile> PrepareAsync(string path, long length)
    {
        Invariant.Holds(length > 0);
        var work = new BackgroundWork<IDiskFile>(() =>
        {
            var file = new RealFile(this, OpenHandle(path, LinuxCalls.OpenReadWrite | LinuxCalls.OpenCreate | LinuxCalls.OpenTruncate), path);
            try
            {
                file.Allocate(0, length);
                file.WriteAndSync(0, default);
                return file;
            }
            catch
            {
                // Nobody else knows of the handle yet.
                file.Dispose();
                throw;
            }
        });
        _background.Submit(work);
        return new ValueTask<IDiskFile>(work.Task);
    }

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        if (LinuxCalls.Rename(Full(from), Full(to)) != 0)
        {
            throw Error($"{from} to {to}", "rename");
        }
    }

    /// <inheritdoc/>
    public void Delete(string path)
    {
        if (LinuxCalls.Unlink(Full(path)) != 0)
        {
            throw Error(path, "unlink");
        }
    }

    /// <inheritdoc/>
    public ValueTask SyncDirectoryAsync(string path)
    {
        var work = new BackgroundWork<bool>(() =>
        {
            SyncDirectory(path, Full(path));
            if (_apart is not null && path == ParentOf(_apart) && Path.GetDirectoryName(_apartRoot) is { } parent && Directory.Exists(_apartRoot))
            {
                SyncDirectory(path, parent);
            }

            return true;
        });
        _background.Submit(work);
        return new ValueTask(work.Task);
    }

    /// <inheritdoc/>
    public unsafe IDisposable? TryLock(string path)
    {
        var handle = OpenHandle(path, LinuxCalls.OpenReadWrite | LinuxCalls.OpenCreate);
        var whole = new LinuxCalls.FileLock { Type = LinuxCalls.WriteLock };
        while (LinuxCalls.Lock(handle, LinuxCalls.SetOpenFileLock, &whole) != 0)
        {
            var errno = LastError;
            if (errno == Errno.Interrupted)
            {
                continue;
            }

            handle.Dispose();
            return errno is Errno.Again or Errno.AccessDenied ? null : throw new DiskException(path, "fcntl", errno);
        }

        return handle;
    }

    /// <inheritdoc/>
    public IDisposable? TryLockAsBbolt(string path)
    {
        var handle = OpenHandle(path, LinuxCalls.OpenReadWrite);
        while (LinuxCalls.LockWhole(handle, LinuxCalls.LockExclusively | LinuxCalls.LockWithoutWaiting) != 0)
        {
            var errno = LastError;
            if (errno == Errno.Interrupted)
            {
                continue;
            }

            handle.Dispose();
            return errno == Errno.Again ? null : throw new DiskException(path, "flock", errno);
        }

        return handle;
    }

    /// <inheritdoc/>
    public string FileSystem => new DriveInfo(_root).DriveFormat;

    /// <inheritdoc/>
    public DiskSpace MeasureSpace()
    {
        var space = MeasureSpace(_root);
        var apart = _apart is not null && DirectoryExists(_apart) ? MeasureSpace(_apartRoot) : space;
        return apart.AvailableBytes < space.AvailableBytes ? apart : space;
    }

    /// <summary>Ends the threads after what was submitted to them is done. Files stay open until they are disposed.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var threads in _logs.Values)
            {
                threads.Dispose();
            }
        }

        _background.Dispose();
    }

    /// <summary>Who syncs everything but logs.</summary>
    internal DiskThreads BackgroundThreads => _background;

    /// <summary>Who syncs the log in a directory: one thread, so that its order stays and nobody else's sync is before it.</summary>
    /// <param name="path">A file of the log.</param>
    /// <returns>The thread; made if need be.</returns>
    internal DiskThreads LogThreadOf(string path)
    {
        var directory = ParentOf(path);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_logs.TryGetValue(directory, out var threads))
            {
                threads = new DiskThreads($"disk {directory}", 1);
                _logs.Add(directory, threads);
            }

            return threads;
        }
    }

    /// <summary>Has one of the threads for everything else do something.</summary>
    /// <param name="work">What blocks on the disk.</param>
    /// <returns>Completes when done; fails as <paramref name="work"/> failed.</returns>
    internal ValueTask RunAsync(Action work)
    {
        var submitted = new BackgroundWork<bool>(() =>
        {
            work();
            return true;
        });
        _background.Submit(submitted);
        return new ValueTask(submitted.Task);
    }

    private static int LastError => Marshal.GetLastPInvokeError();

    private static int FlagsOf(OpenIntent intent) => intent switch
    {
        OpenIntent.Read => LinuxCalls.OpenReadOnly,
        OpenIntent.Write => LinuxCalls.OpenReadWrite,
        OpenIntent.Create => LinuxCalls.OpenReadWrite | LinuxCalls.OpenCreate | LinuxCalls.OpenExclusive,
        _ => throw Invariant.Unreachable($"open intent {intent}"),
    };

    /// <summary>Each directory is tried once: where one cannot be made although its parent is there, as below /proc, that is the error.</summary>
    private static void MakeWithParents(string path)
    {
        if (KindOf(path, path) == DirectoryKind)
        {
            return;
        }

        if (Path.GetDirectoryName(path) is { } parent)
        {
            MakeWithParents(parent);
        }

        if (LinuxCalls.MakeDirectory(path, PrivateDirectory) != 0 && !(LastError == Errno.Exists && KindOf(path, path) == DirectoryKind))
        {
            throw Error(path, "mkdir");
        }
    }

    // Zero for nothing there. File.Exists would answer "no" for a directory that may not be searched, and an existing store would look empty.
    private static unsafe int KindOf(string path, string full)
    {
        LinuxCalls.FileStatus status;
        while (LinuxCalls.Stat(LinuxCalls.CurrentDirectory, full, 0, LinuxCalls.StatModeAndSize, &status) != 0)
        {
            switch (LastError)
            {
                case Errno.NotFound or Errno.NotDirectory:
                    return 0;
                case not Errno.Interrupted:
                    throw Error(path, "stat");
            }
        }

        return status.Mode & FileKindMask;
    }

    private static string ParentOf(string path) => path[..Math.Max(path.LastIndexOf('/'), 0)];

    private static DiskSpace MeasureSpace(string directory)
    {
        var drive = new DriveInfo(directory);
        return new DiskSpace(drive.TotalSize, drive.AvailableFreeSpace);
    }

    private static void SyncDirectory(string path, string full)
    {
        using var handle = OpenHandle(path, full, LinuxCalls.OpenReadOnly);
        while (LinuxCalls.Sync(handle) != 0)
        {
            if (LastError != Errno.Interrupted)
            {
                throw Error(path, "fsync");
            }
        }
    }

    private static DiskException Error(string path, string operation) => new(path, operation, LastError);

    private SafeFileHandle OpenHandle(string path, int flags) => OpenHandle(path, Full(path), flags);

    private static SafeFileHandle OpenHandle(string path, string full, int flags)
    {
        while (true)
        {
            var handle = LinuxCalls.Open(full, flags | LinuxCalls.OpenCloseOnExec, PrivateFile);
            if (!handle.IsInvalid)
            {
                return handle;
            }

            var errno = LastError;
            handle.Dispose();
            if (errno != Errno.Interrupted)
            {
                throw new DiskException(path, "open", errno);
            }
        }
    }

    private string Full(string path)
    {
        Invariant.Holds(!path.StartsWith('/') && !path.Split('/').Contains(".."), $"{path}");
        if (_apart is not null && path.StartsWith(_apart, StringComparison.Ordinal) && (path.Length == _apart.Length || path[_apart.Length] == '/'))
        {
            return _apartRoot + path[_apart.Length..];
        }

        return path.Length == 0 ? _root : $"{_root}/{path}";
    }

    // What happens rarely may allocate: a directory sync, a segment in preparation.
    private sealed class BackgroundWork<TResult>(Func<TResult> work) : IDiskWork
    {
        private readonly TaskCompletionSource<TResult> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<TResult> Task => _outcome.Task;

        public void Run()
        {
            try
            {
                _outcome.SetResult(work());
            }
            catch (Exception failure)
            {
                // Whoever awaits the work gets to see it; the disk's thread goes on.
                _outcome.SetException(failure);
            }
        }
    }
}
