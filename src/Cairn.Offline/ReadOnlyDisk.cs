using Cairn.Storage;

namespace Cairn.Offline;

/// <summary>A data directory that is looked at and stays as it is: whatever would change it is passed over.</summary>
/// <remarks>
/// What opens a store cuts off what no manifest covers, and removes what nothing names. Nothing that is read afterwards depends on it, so it need not happen.
/// </remarks>
/// <param name="inner">The disk.</param>
internal sealed class ReadOnlyDisk(IDisk inner) : IDisk
{
    public bool FileExists(string path) => inner.FileExists(path);

    public bool DirectoryExists(string path) => inner.DirectoryExists(path);

    public IReadOnlyList<string> List(string path) => inner.List(path);

    public void CreateDirectory(string path)
    {
    }

    public IDiskFile Open(string path, OpenIntent intent) => intent == OpenIntent.Create
        ? throw new IOException($"{path}: the directory is only looked at")
        : new ReadOnlyFile(inner.Open(path, OpenIntent.Read));

    public ValueTask<IDiskFile> PrepareAsync(string path, long length) => throw new IOException($"{path}: the directory is only looked at");

    public void Rename(string from, string to)
    {
    }

    public void Delete(string path)
    {
    }

    public ValueTask SyncDirectoryAsync(string path) => ValueTask.CompletedTask;

    public IDisposable? TryLock(string path) => inner.TryLock(path);

    public IDisposable? TryLockAsBbolt(string path) => inner.TryLockAsBbolt(path);

    public DiskSpace MeasureSpace() => inner.MeasureSpace();

    private sealed class ReadOnlyFile(IDiskFile inner) : IDiskFile
    {
        public string Path => inner.Path;

        public long Length => inner.Length;

        public int Read(long offset, Span<byte> destination) => inner.Read(offset, destination);

        public void Write(long offset, ReadOnlySpan<byte> source) => throw new IOException($"{Path}: the directory is only looked at");

        public void Allocate(long offset, long length)
        {
        }

        public void SetLength(long length)
        {
        }

        public ValueTask SyncAsync() => ValueTask.CompletedTask;

        public ValueTask WriteAndSyncAsync(long offset, ReadOnlyMemory<byte> source) => throw new IOException($"{Path}: the directory is only looked at");

        public void Dispose() => inner.Dispose();
    }
}
