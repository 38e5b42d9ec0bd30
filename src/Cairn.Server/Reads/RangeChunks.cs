namespace Cairn.Server.Reads;

/// <summary>A range answered in pieces, all of one revision. Owned by the call that asked; not thread-safe.</summary>
public sealed class RangeChunks
{
    private readonly InvalidOperationException _notRunning = new("The node does not run.");

    /// <summary>Takes the next piece. Header, count and "more" are on the last piece only.</summary>
    /// <returns>The piece; null after the last one; or why the rest cannot be had (history was compacted meanwhile).</returns>
    public (RangeAnswer? Chunk, NodeError Error) Next() => throw _notRunning;
}
