using Cairn.Storage;

namespace Cairn.Simulation.Disks;

// The faults that this disk injects, all decided by one seed:
//
//   crash     CrashAt(n): the n-th operation that changes the disk (write, sync, change of length, name) is the last one. A write is under way at that
//             moment, a sync has not returned. Every later call throws SimulatedCrashException, until CutPower or Kill starts the next life.
//   unsynced  CutPower(mode): bytes written since the last sync of their file, and names changed since the last sync of their directory, are lost, kept,
//             reordered and torn: per sector of 512 bytes, inside a sector, with stale or garbled bytes where bytes were to change (CrashMode).
//   killed    Kill(): the process is gone, the page cache stays: everything written is there, synced or not, and can still be lost by a later CutPower.
//   errors    Fail(operation, path, errno, count): the next calls of a kind fail; FailAt(n, errno): the n-th operation fails. A failed sync marks its writes clean, as Linux does: the cache shows
//             them, no later sync writes them.
//   space     SpaceBytes: what does not fit fails with ENOSPC and changes nothing.
//   rot       FlipBit, Damage, Truncate: bytes change on the platter behind everybody's back.
//   lies      IsLying: a write with its sync says that it is durable, and becomes so by another sync of its file, if there is one.
//   slowness  HoldSyncs: syncs wait until ReleaseSyncs. SyncDelay with a TimeProvider: syncs take that long.
//
// What it does not do: destroy synced bytes beside those being written (a sector is old, new or a mixture).

/// <summary>A disk in memory that fails as real ones do, in the same way for the same seed. One thread uses it at a time.</summary>
public sealed class SimulatedDisk : IDisk
{
    private readonly Prng _prng;
    private SimulatedNames _names = new();
    private readonly List<PlannedFailure> _failures = [];
    private readonly List<TaskCompletionSource> _held = [];
    private readonly TimeProvider? _time;
    private bool _off;
    private long _crashAt = long.MaxValue;
    private (long Operation, int Errno) _failAt;
    private long _fullAt;

    /// <summary>Makes an empty disk.</summary>
    /// <param name="seed">Decides what every crash leaves behind.</param>
    /// <param name="time">For <see cref="SyncDelay"/>.</param>
    public SimulatedDisk(ulong seed, TimeProvider? time = null)
    {
        _prng = new Prng(seed);
        _time = time;
    }

    /// <summary>Operations so far that change the disk; each is a point at which to crash.</summary>
    public long Operations { get; private set; }

    /// <summary>What the files together may take.</summary>
    public long SpaceBytes { get; set; } = long.MaxValue;

    /// <summary>While true, syncs wait for <see cref="ReleaseSyncs"/>.</summary>
    public bool HoldSyncs { get; set; }

    /// <summary>How long a sync takes.</summary>
    public TimeSpan SyncDelay { get; set; }

    /// <summary>Whether syncs of what was written with them say that they are done before they are.</summary>
    public bool IsLying { get; set; }

    /// <summary>Paths of all files, in order.</summary>
    public IEnumerable<string> Files => _names.Cache.Where(name => name.Value is not null).Select(name => name.Key);

    /// <summary>Called at a planned crash, before anybody sees it.</summary>
    public Action? Crashed { get; set; }

    /// <summary>Called when bytes that were written and synced in one call are durable, with the path of their file.</summary>
    public Action<string, ReadOnlyMemory<byte>>? Synced { get; set; }

    /// <summary>Number of syncs that wait.</summary>
    public int HeldSyncs => _held.Count;

    /// <summary>Counts crashes; handles of an earlier life are dead.</summary>
    internal int Life { get; private set; }

    /// <summary>Whether it crashed, and the power was not cut yet.</summary>
    public bool IsOff => _off;

    /// <summary>What the files together take.</summary>
    public long UsedBytes => _names.Cache.Values.Distinct().Sum(inode => (long)(inode?.Cache.Length ?? 0));

    /// <summary>Plans a crash.</summary>
    /// <param name="operation">Which operation of <see cref="Operations"/> is the last one; from 1.</param>
    public void CrashAt(long operation) => _crashAt = operation;

    /// <summary>The power goes, and comes back.</summary>
    /// <param name="mode">What happens to what was not synced.</param>
    public void CutPower(CrashMode mode)
    {
        var inodes = _names.Cache.Values.OfType<SimulatedInode>().Distinct().ToList();
        _names.CutPower(mode, _prng);
        foreach (var inode in inodes.Union(_names.Cache.Values.OfType<SimulatedInode>()))
        {
            inode.CutPower(mode, _prng);
        }

        BeginLife();
    }

    /// <summary>The process that uses the disk is killed; the page cache survives.</summary>
    public void Kill()
    {
        foreach (var inode in _names.Cache.Values.OfType<SimulatedInode>())
        {
            inode.Locked = false;
        }

        BeginLife();
    }

    /// <summary>The disk is replaced by an empty one.</summary>
    public void Wipe()
    {
        _names.Clear();
        BeginLife();
    }

    /// <summary>The disk is replaced by an image.</summary>
    /// <param name="image">The image; it is not changed.</param>
    public void Restore(SimulatedDisk image)
    {
        _names = image.Copy()._names;
        BeginLife();
    }

    /// <summary>This disk takes the place of another, and the other that of this one.</summary>
    /// <param name="other">The other.</param>
    public void Exchange(SimulatedDisk other)
    {
        (_names, other._names) = (other._names, _names);
        BeginLife();
        other.BeginLife();
    }

    /// <summary>Copies all files as processes see them, durably: the image of a disk.</summary>
    /// <returns>Another disk.</returns>
    public SimulatedDisk Copy()
    {
        var copy = new SimulatedDisk(_prng.NextUInt64(), _time);
        foreach (var (path, inode) in _names.Cache)
        {
            copy._names.Set(path, inode?.Copy());
            copy._names.Sync(SimulatedNames.ParentOf(path));
        }

        return copy;
    }

    /// <summary>Plans failures.</summary>
    /// <param name="operation">The call: "pwrite", "fdatasync", "fallocate", "ftruncate", "rename", "unlink", "fsync", "open".</param>
    /// <param name="path">Part of the path.</param>
    /// <param name="errno">What it answers.</param>
    /// <param name="count">How often.</param>
    public void Fail(string operation, string path, int errno, int count = 1) => _failures.Add(new PlannedFailure(operation, path, errno) { Left = count });

    /// <summary>Plans the failure of one operation, whatever it is.</summary>
    /// <param name="operation">Which operation of <see cref="Operations"/>; from 1.</param>
    /// <param name="errno">What it answers.</param>
    public void FailAt(long operation, int errno) => _failAt = (operation, errno);

    /// <summary>Plans that the disk is full: nothing fits any more from some operation on, until <see cref="SpaceBytes"/> says otherwise.</summary>
    /// <param name="operation">Which operation of <see cref="Operations"/> is the first that finds it so; from 1.</param>
    public void FillAt(long operation) => _fullAt = operation;

    /// <summary>Forgets all failures that were planned.</summary>
    public void FailNoMore()
    {
        _failures.Clear();
        _failAt = default;
    }

    /// <summary>Flips one bit of what is on the platter.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bit">Which one, from the start of the file.</param>
    public void FlipBit(string path, long bit) => Damage(path, bit / 8, [(byte)(Inode(path).Cache[bit / 8] ^ (1 << (int)(bit % 8)))]);

    /// <summary>Replaces bytes on the platter.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">Where.</param>
    /// <param name="bytes">By what.</param>
    public void Damage(string path, long offset, ReadOnlySpan<byte> bytes) => Inode(path).Damage(offset, bytes);

    /// <summary>Cuts a file on the platter.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Its new length.</param>
    public void Truncate(string path, long length) => Inode(path).Truncate(length);

    /// <summary>Reads a file past all faults.</summary>
    /// <param name="path">The file.</param>
    /// <returns>A copy.</returns>
    public byte[] ReadAll(string path) => Inode(path).Cache.ToArray();

    /// <summary>Puts a durable file on the disk past all faults.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">Its bytes.</param>
    public void Put(string path, ReadOnlySpan<byte> content)
    {
        for (var parent = SimulatedNames.ParentOf(path); parent.Length > 0; parent = SimulatedNames.ParentOf(parent))
        {
            _names.Set(parent, null);
            _names.Sync(SimulatedNames.ParentOf(parent));
        }

        var inode = new SimulatedInode();
        inode.Damage(0, content);
        _names.Set(path, inode);
        _names.Sync(SimulatedNames.ParentOf(path));
    }

    /// <summary>Lets the syncs go that wait.</summary>
    public void ReleaseSyncs()
    {
        var held = _held.ToList();
        _held.Clear();
        held.ForEach(sync => sync.SetResult());
    }

    /// <inheritdoc/>
    public bool FileExists(string path)
    {
        ThrowIfOff(Life);
        return _names.Cache.TryGetValue(path, out var inode) && inode is not null;
    }

    /// <inheritdoc/>
    public bool DirectoryExists(string path)
    {
        ThrowIfOff(Life);
        return path.Length == 0 || (_names.Cache.TryGetValue(path, out var inode) && inode is null);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> List(string path)
    {
        ThrowIfOff(Life);
        return DirectoryExists(path)
            ? _names.Cache.Keys.Where(name => SimulatedNames.ParentOf(name) == path).Select(name => name[(name.LastIndexOf('/') + 1)..]).ToList()
            : throw new DiskException(path, "opendir", Errno.NotFound);
    }

    /// <inheritdoc/>
    public void CreateDirectory(string path)
    {
        ThrowIfOff(Life);
        if (path.Length > 0 && !DirectoryExists(path))
        {
            CreateDirectory(SimulatedNames.ParentOf(path));
            var crash = Count("mkdir", path);
            _names.Set(path, null);
            CrashIf(crash);
        }
    }

    /// <inheritdoc/>
    public IDiskFile Open(string path, OpenIntent intent)
    {
        ThrowIfOff(Life);
        ThrowIfPlanned("open", path);
        if (intent != OpenIntent.Create)
        {
            return FileExists(path) ? new SimulatedFile(this, Inode(path), path) : throw new DiskException(path, "open", Errno.NotFound);
        }

        return FileExists(path) ? throw new DiskException(path, "open", Errno.Exists) : new SimulatedFile(this, Make(path), path);
    }

    /// <inheritdoc/>
    public async ValueTask<IDiskFile> PrepareAsync(string path, long length)
    {
        ThrowIfOff(Life);
        var file = new SimulatedFile(this, FileExists(path) ? Inode(path) : Make(path), path);
        if (file.Length > 0)
        {
            file.SetLength(0);
        }

        file.Allocate(0, length);
        await file.SyncAsync();
        return file;
    }

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        ThrowIfOff(Life);
        if (!_names.Cache.ContainsKey(from))
        {
            throw new DiskException($"{from} to {to}", "rename", Errno.NotFound);
        }

        var crash = Count("rename", from);
        _names.Rename(from, to);
        CrashIf(crash);
    }

    /// <inheritdoc/>
    public void Delete(string path)
    {
        ThrowIfOff(Life);
        if (!FileExists(path))
        {
            throw new DiskException(path, "unlink", Errno.NotFound);
        }

        var crash = Count("unlink", path);
        _names.Remove(path);
        CrashIf(crash);
    }

    /// <inheritdoc/>
    public async ValueTask SyncDirectoryAsync(string path)
    {
        var life = Life;
        ThrowIfOff(life);
        await DelayAsync();
        ThrowIfOff(life);
        if (!DirectoryExists(path))
        {
            throw new DiskException(path, "open", Errno.NotFound);
        }

        CrashIf(Count("fsync", path));
        _names.Sync(path);
    }

    /// <inheritdoc/>
    public IDisposable? TryLock(string path)
    {
        ThrowIfOff(Life);
        var inode = FileExists(path) ? Inode(path) : Make(path);
        if (inode.Locked)
        {
            return null;
        }

        inode.Locked = true;
        return new Held(this, inode);
    }

    /// <inheritdoc/>
    public IDisposable? TryLockAsBbolt(string path) =>
        FileExists(path) ? TryLock(path) : throw new DiskException(path, "open", Errno.NotFound);

    /// <inheritdoc/>
    public DiskSpace MeasureSpace()
    {
        ThrowIfOff(Life);
        return new DiskSpace(SpaceBytes, Math.Max(SpaceBytes - UsedBytes, 0));
    }

    /// <summary>Counts an operation, and fails it if that is planned.</summary>
    /// <returns>Whether it is the last one of this life: the caller does it, and calls <see cref="CrashIf"/>.</returns>
    internal bool Count(string operation, string path)
    {
        ThrowIfPlanned(operation, path);
        if (_fullAt == Operations + 1)
        {
            _fullAt = 0;
            SpaceBytes = UsedBytes;
        }

        if (_failAt.Operation == Operations + 1)
        {
            _failAt.Operation = 0;
            throw new DiskException(path, operation, _failAt.Errno);
        }

        return ++Operations == _crashAt;
    }

    /// <summary>Ends this life.</summary>
    internal void CrashIf(bool crash)
    {
        if (crash)
        {
            _off = true;
            Crashed?.Invoke();
        }

        ThrowIfOff(Life);
    }

    /// <summary>Refuses handles of an earlier life.</summary>
    internal void ThrowIfOff(int life)
    {
        if (_off || life != Life)
        {
            throw new SimulatedCrashException();
        }
    }

    /// <summary>Decides what a failed sync left on the platter.</summary>
    internal void FailSync(SimulatedInode inode) => inode.FailSync(_prng);

    /// <summary>Refuses what does not fit.</summary>
    internal void TakeSpace(long growth, string path, string operation)
    {
        if (SpaceBytes < long.MaxValue && growth > 0 && UsedBytes + growth > SpaceBytes)
        {
            throw new DiskException(path, operation, Errno.NoSpace);
        }
    }

    /// <summary>Takes the time that a sync takes.</summary>
    internal async ValueTask DelayAsync()
    {
        if (HoldSyncs)
        {
            var sync = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _held.Add(sync);
            await sync.Task;
        }

        if (SyncDelay > TimeSpan.Zero)
        {
            await Task.Delay(SyncDelay, _time ?? throw new InvalidOperationException("a delay needs a TimeProvider"));
        }
    }

    private void BeginLife()
    {
        Life++;
        _off = false;
        _crashAt = long.MaxValue;
        _failures.Clear();
        _held.Clear();
    }

    private SimulatedInode Make(string path)
    {
        if (!DirectoryExists(SimulatedNames.ParentOf(path)))
        {
            throw new DiskException(path, "open", Errno.NotFound);
        }

        var crash = Count("create", path);
        var inode = new SimulatedInode();
        _names.Set(path, inode);
        CrashIf(crash);
        return inode;
    }

    private SimulatedInode Inode(string path) => _names.Cache[path] ?? throw new InvalidOperationException($"{path} is a directory");

    private void ThrowIfPlanned(string operation, string path)
    {
        var planned = _failures.Find(failure => failure.Left > 0 && failure.Operation == operation && path.Contains(failure.Path, StringComparison.Ordinal));
        if (planned is not null)
        {
            planned.Left--;
            throw new DiskException(path, operation, planned.Errno);
        }
    }

    private sealed record PlannedFailure(string Operation, string Path, int Errno)
    {
        public int Left { get; set; }
    }

    private sealed class Held(SimulatedDisk disk, SimulatedInode inode) : IDisposable
    {
        private readonly int _life = disk.Life;

        public void Dispose()
        {
            if (_life == disk.Life)
            {
                inode.Locked = false;
            }
        }
    }
}
