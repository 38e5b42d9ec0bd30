namespace Cairn.Storage;

/// <summary>Bytes on disk are not what was written there: a checksum, a length or a promise between files does not hold.</summary>
/// <remarks>Stops the member, not the cluster: it is healed from its peers. Never thrown for a torn tail that was never acknowledged.</remarks>
public sealed class CorruptionException : Exception
{
    /// <summary>Reports damage.</summary>
    /// <param name="path">File, relative to the data directory.</param>
    /// <param name="offset">First byte, in the file, of the damaged record.</param>
    /// <param name="what">What is wrong, as a clause ("record checksum 1234abcd, expected 89abcdef").</param>
    public CorruptionException(string path, long offset, string what)
        : base($"{path}, offset {offset}: {what}")
    {
        Path = path;
        Offset = offset;
    }

    /// <summary>File, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>First byte of the damaged record.</summary>
    public long Offset { get; }
}
