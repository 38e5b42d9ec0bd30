namespace Cairn.EndToEnd.Harness;

/// <summary>A directory of one test, removed at its end.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    /// <summary>Creates the directory.</summary>
    public ScratchDirectory() => Path = Directory.CreateTempSubdirectory("cairn-").FullName;

    /// <summary>Its path.</summary>
    public string Path { get; }

    /// <summary>A path within.</summary>
    /// <param name="name">Relative path.</param>
    /// <returns>The path.</returns>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Removes the directory.</summary>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
