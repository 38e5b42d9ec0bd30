using System.Security.Cryptography;
using Cairn.Bbolt;
using Microsoft.Win32.SafeHandles;

namespace Cairn.Offline;

/// <summary>A file with a bbolt image: a snapshot, which ends with a checksum, or a member's own <c>db</c>, which does not. One user at a time.</summary>
internal sealed class SnapshotFile : IDisposable
{
    // A file with a checksum has this many bytes more than a whole number of the smallest pages there are. Source: etcd etcdutl/snapshot/v3_snapshot.go.
    private const int PageBytesMin = 512;
    private const int ChecksumBytes = SHA256.HashSizeInBytes;
    private const int PieceBytes = 1 << 20;

    // One damaged page can give a hundred findings; the first few say where to look.
    private const int ShownFindingsMax = 5;

    private readonly SafeFileHandle _handle;

    private SnapshotFile(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
        Length = RandomAccess.GetLength(handle);
    }

    /// <summary>Its path, as it was given.</summary>
    public string Path { get; }

    /// <summary>Its length in bytes.</summary>
    public long Length { get; }

    /// <summary>Whether it ends with a checksum over all before it.</summary>
    public bool HasChecksum => Length % PageBytesMin == ChecksumBytes;

    /// <summary>Bytes of the image, without the checksum.</summary>
    public long ImageLength => HasChecksum ? Length - ChecksumBytes : Length;

    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">Its path.</param>
    /// <returns>The file; nothing of it was verified.</returns>
    /// <exception cref="IOException">There is none, or it cannot be read.</exception>
    public static SnapshotFile Open(string path)
    {
        return Directory.Exists(path)
            ? throw new OfflineException($"{path} is a directory, not a snapshot file")
            : new SnapshotFile(path, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, FileOptions.RandomAccess));
    }

    /// <summary>Compares the image with its checksum.</summary>
    /// <param name="progress">Is told how many bytes were read.</param>
    /// <param name="cancelled">Ends the reading.</param>
    /// <exception cref="OfflineException">There is no checksum, or it is that of other bytes.</exception>
    public void VerifyChecksum(Progress progress, CancellationToken cancelled)
    {
        if (!HasChecksum)
        {
            throw new OfflineException($"{Path} has no checksum at its end: if it was copied from a data directory, say so by --skip-hash-check; else it is cut off");
        }

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = new byte[PieceBytes];
        for (long at = 0; at < ImageLength;)
        {
            cancelled.ThrowIfCancellationRequested();
            int count = RandomAccess.Read(_handle, piece.AsSpan(0, (int)Math.Min(PieceBytes, ImageLength - at)), at);
            hash.AppendData(piece, 0, count);
            at += count > 0 ? count : throw new EndOfStreamException($"{Path} ended at {at} while it was read");
            progress.Report(count);
        }

        Span<byte> expected = stackalloc byte[ChecksumBytes];
        RandomAccess.Read(_handle, expected, ImageLength);
        if (!expected.SequenceEqual(hash.GetHashAndReset()))
        {
            throw new OfflineException($"{Path} is damaged: its checksum, at offset {ImageLength}, is that of other bytes. Take another snapshot");
        }
    }

    /// <summary>Uses the image.</summary>
    /// <typeparam name="T">What comes of it.</typeparam>
    /// <param name="use">What is done with the image.</param>
    /// <returns>What came of it.</returns>
    /// <exception cref="OfflineException">It is no bbolt image, or a damaged one; says what is wrong, and where.</exception>
    public async Task<T> ReadAsync<T>(Func<BboltFile, Task<T>> use)
    {
        try
        {
            return await use(BboltFile.Open((offset, destination) => RandomAccess.Read(_handle, destination, offset), ImageLength));
        }
        catch (BboltCorruptionException damage)
        {
            throw new OfflineException($"{Path}: {damage.Message}");
        }
    }

    /// <summary>Verifies the structure of the image: every page, and what must hold between them.</summary>
    /// <param name="image">The image.</param>
    /// <exception cref="OfflineException">Something does not hold; says what, and where.</exception>
    public void VerifyStructure(BboltFile image)
    {
        IReadOnlyList<BboltFinding> findings = image.Check();
        if (findings.Count > 0)
        {
            throw new OfflineException($"{Path} is damaged, {findings.Count} findings: {string.Join("; ", findings.Take(ShownFindingsMax))}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
