namespace Cairn.Storage;

/// <summary>How <see cref="IDisk.Open"/> opens a file.</summary>
public enum OpenIntent
{
    /// <summary>An existing file, for reading.</summary>
    Read,

    /// <summary>An existing file, for reading and writing.</summary>
    Write,

    /// <summary>A file that must not exist yet, for reading and writing.</summary>
    Create,
}

/// <summary>Space of the file system that holds the data directory.</summary>
/// <param name="TotalBytes">Size of the file system.</param>
/// <param name="AvailableBytes">What this process may still use.</param>
public readonly record struct DiskSpace(long TotalBytes, long AvailableBytes);

/// <summary>The one door between this program and the files of a data directory.</summary>
/// <remarks>
/// <para>Paths are relative to the data directory, with forward slashes, never with "..".</para>
/// <para>
/// Durability: bytes written to a file survive a power cut only after <see cref="IDiskFile.SyncAsync"/> of that file returned; the *name* of a created,
/// renamed or deleted file (or directory) only after <see cref="SyncDirectoryAsync"/> of its directory returned. Nothing else is promised: unsynced writes
/// may be lost, in any order, torn at sectors.
/// </para>
/// <para>Errors: every failure is an <see cref="IOException"/> that names the path, the operation and the errno.</para>
/// </remarks>
public interface IDisk
{
    /// <summary>Whether a file of that name exists.</summary>
    /// <param name="path">The file.</param>
    /// <returns>True for an existing file, false for a directory or nothing.</returns>
    bool FileExists(string path);

    /// <summary>Whether a directory of that name exists.</summary>
    /// <param name="path">The directory.</param>
    /// <returns>True for an existing directory.</returns>
    bool DirectoryExists(string path);

    /// <summary>Names the entries of a directory, in ordinal order.</summary>
    /// <param name="path">The directory; "" is the data directory itself.</param>
    /// <returns>Names without their directory.</returns>
    IReadOnlyList<string> List(string path);

    /// <summary>Makes a directory (mode 0700) and its parents, unless it exists. Durable after the parent is synced.</summary>
    /// <param name="path">The directory.</param>
    void CreateDirectory(string path);

    /// <summary>Opens a file (mode 0600 when created).</summary>
    /// <param name="path">The file.</param>
    /// <param name="intent">What for.</param>
    /// <returns>The open file; the caller disposes it.</returns>
    IDiskFile Open(string path, OpenIntent intent);

    /// <summary>Makes a file of zeros, or empties one of that name, with its space reserved and synced. Runs on a thread of the disk's own.</summary>
    /// <param name="path">The file; its name is durable only after <see cref="SyncDirectoryAsync"/>.</param>
    /// <param name="length">Length in bytes, at least 1.</param>
    /// <returns>The file, open for writing; the caller disposes it.</returns>
    ValueTask<IDiskFile> PrepareAsync(string path, long length);

    /// <summary>Renames a file or directory, replacing a file of the new name atomically. Durable after both directories are synced.</summary>
    /// <param name="from">Old path.</param>
    /// <param name="to">New path.</param>
    void Rename(string from, string to);

    /// <summary>Removes a file. Open handles go on reading it.</summary>
    /// <param name="path">The file.</param>
    void Delete(string path);

    /// <summary>Makes the names in a directory durable (fsync of the directory).</summary>
    /// <param name="path">The directory; "" is the data directory itself.</param>
    /// <returns>Completes when the names are durable.</returns>
    ValueTask SyncDirectoryAsync(string path);

    /// <summary>Takes an exclusive lock on a file (made if need be) until disposed; another process that opens the same data directory is refused.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The lock, or null if another process holds it.</returns>
    IDisposable? TryLock(string path);

    /// <summary>Takes an exclusive lock of the kind that bbolt takes (flock) on an existing file until disposed, so that etcd keeps off.</summary>
    /// <param name="path">The file; renamed while it is locked, it stays locked.</param>
    /// <returns>The lock, or null if another process holds it.</returns>
    IDisposable? TryLockAsBbolt(string path);

    /// <summary>Names the kind of the file system, as the system does ("ext4", "overlay"); empty if it is not known.</summary>
    string FileSystem => "";

    /// <summary>Asks how much room there is.</summary>
    /// <returns>Total and available bytes.</returns>
    DiskSpace MeasureSpace();
}

/// <summary>An open file. Reads may come from any thread; writes, syncs and length changes from one owner at a time.</summary>
public interface IDiskFile : IDisposable
{
    /// <summary>Path relative to the data directory; for messages.</summary>
    string Path { get; }

    /// <summary>Length in bytes.</summary>
    long Length { get; }

    /// <summary>Reads up to the length of <paramref name="destination"/>; short only at the end of the file.</summary>
    /// <param name="offset">Where in the file, from 0.</param>
    /// <param name="destination">What to fill.</param>
    /// <returns>Bytes read; less than asked for only at the end of the file.</returns>
    int Read(long offset, Span<byte> destination);

    /// <summary>Writes all of <paramref name="source"/>; durable after the next <see cref="SyncAsync"/>.</summary>
    /// <param name="offset">Where in the file; beyond the end extends it.</param>
    /// <param name="source">What to write.</param>
    void Write(long offset, ReadOnlySpan<byte> source);

    /// <summary>Writes all of <paramref name="source"/> on a thread of the disk's own; durable after the next <see cref="SyncAsync"/>.</summary>
    /// <param name="offset">Where in the file; beyond the end extends it.</param>
    /// <param name="source">What to write; must stay unchanged until the task completes.</param>
    /// <returns>Completes when written. After a failure the file must not be trusted again.</returns>
    ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source)
    {
        Write(offset, source.Span);
        return ValueTask.CompletedTask;
    }

    /// <summary>Reserves space (fallocate, extending the file with zeros), so that later writes there cannot fail for want of space.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">How many.</param>
    void Allocate(long offset, long length);

    /// <summary>Cuts or extends (with zeros) the file.</summary>
    /// <param name="length">New length in bytes.</param>
    void SetLength(long length);

    /// <summary>Makes everything written so far durable (fdatasync). Runs on a thread of the disk's own: the caller is not blocked.</summary>
    /// <returns>Completes when durable. After a failure the file must not be trusted again (docs/decisions/0004).</returns>
    ValueTask SyncAsync();

    /// <summary>One write and one fdatasync, both on a thread of the disk's own: the group commit of a log.</summary>
    /// <param name="offset">Where in the file.</param>
    /// <param name="source">What to write; must stay unchanged until the task completes.</param>
    /// <returns>Completes when durable. After a failure the file must not be trusted again.</returns>
    ValueTask WriteAndSyncAsync(long offset, ReadOnlyMemory<byte> source);
}
