namespace Cairn.Storage.Manifest;

/// <summary>The files were written by a later version, in a format that this one does not know. Nothing is wrong with them, and nothing was changed.</summary>
public sealed class UnknownFormatException : Exception
{
    /// <summary>Reports a format.</summary>
    /// <param name="path">File, relative to the data directory.</param>
    /// <param name="version">Version of the format found there.</param>
    /// <param name="known">Highest version that this program knows.</param>
    public UnknownFormatException(string path, int version, int known)
        : base($"{path}: format {version}, written by a later version of this program, which knows up to {known}")
    {
        Path = path;
        Version = version;
    }

    /// <summary>File, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>Version of the format found there.</summary>
    public int Version { get; }
}
