namespace Cairn.Storage.Revisions;

/// <summary>Gives the file of a damaged segment the shape that its manifest describes, so that what verifies of it can be read.</summary>
/// <remarks>What is made up holds no record: the header says nothing but the segment's number, and zeros verify as nothing.</remarks>
public static class SegmentMending
{
    /// <summary>Whether a file has the shape that its manifest describes, whatever its records are.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="state">What the manifest names.</param>
    /// <returns>False if it is missing, too short, or has another header.</returns>
    public static bool IsShaped(IDisk disk, string directory, SegmentState state)
    {
        ArgumentNullException.ThrowIfNull(disk);
        try
        {
            using var file = SegmentFormat.OpenCut(disk, directory, state);
            return true;
        }
        catch (CorruptionException)
        {
            return false;
        }
    }

    /// <summary>Writes the header that belongs there, and zeros where the file is too short.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="state">What the manifest names.</param>
    /// <returns>Completes when durable, but for the name of a file that was missing.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public static async ValueTask MendAsync(IDisk disk, string directory, SegmentState state)
    {
        ArgumentNullException.ThrowIfNull(disk);
        var path = SegmentFormat.PathOf(directory, state.Id);
        using var file = disk.Open(path, disk.FileExists(path) ? OpenIntent.Write : OpenIntent.Create);
        var header = new byte[SegmentFormat.HeaderBytes];
        SegmentFormat.Write(header, state.Id);
        await file.WriteAsync(0, header);
        if (file.Length < state.End)
        {
            file.SetLength(state.End);
        }

        await file.SyncAsync();
    }
}
