using Cairn.Protocol;

namespace Cairn.Simulation.Histories;

/// <summary>What one watcher saw, through all its connections.</summary>
internal sealed class WatchRecord
{
    public required string Name { get; init; }

    public required string Key { get; init; }

    /// <summary>End of the range, exclusive; "" for one key.</summary>
    public required string End { get; init; }

    public bool NoPut { get; init; }

    public bool NoDelete { get; init; }

    public bool WantsPrevious { get; init; }

    /// <summary>Where it goes on when its connection breaks.</summary>
    public long Next { get; set; } = 1;

    public List<Message> Messages { get; } = [];

    /// <summary>Revisions that it was told are gone, both included.</summary>
    public List<(long First, long Last)> Gaps { get; } = [];

    /// <summary>One message with events, or one that only tells how far the stream is.</summary>
    /// <param name="At">When it arrived.</param>
    /// <param name="Revision">Revision in its header.</param>
    /// <param name="Events">Its events; none for a progress message.</param>
    internal sealed record Message(long At, long Revision, IReadOnlyList<Event> Events);
}
