namespace Cairn.Storage;

/// <summary>A call to the disk failed: which file, what was asked, and what the system answered.</summary>
/// <remarks>Every errno but EINTR is a failure (docs/decisions/0004): nothing is retried on the same file behind the caller's back.</remarks>
public sealed class DiskException : IOException
{
    /// <summary>Reports a failure.</summary>
    /// <param name="path">File or directory, relative to the data directory.</param>
    /// <param name="operation">The call ("pwrite", "fdatasync").</param>
    /// <param name="errno">What the system answered, see <see cref="Errno"/>.</param>
    public DiskException(string path, string operation, int errno)
        : base($"{operation} {path}: {Storage.Errno.NameOf(errno)}")
    {
        Path = path;
        Operation = operation;
        Errno = errno;
    }

    /// <summary>File or directory, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>The call that failed.</summary>
    public string Operation { get; }

    /// <summary>What the system answered, see <see cref="Storage.Errno"/>.</summary>
    public int Errno { get; }

    /// <summary>Whether room is what is missing: the one failure that ends by itself when somebody makes room.</summary>
    public bool IsNoSpace => Errno is Storage.Errno.NoSpace or Storage.Errno.QuotaExceeded;
}
