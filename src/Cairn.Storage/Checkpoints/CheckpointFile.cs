namespace Cairn.Storage.Checkpoints;

/// <summary>A finished checkpoint, as a manifest names it.</summary>
/// <param name="Name">File name, in the directory of the store.</param>
/// <param name="Length">Bytes of the file.</param>
public sealed record CheckpointFile(string Name, long Length);
