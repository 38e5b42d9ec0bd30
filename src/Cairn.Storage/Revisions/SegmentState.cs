using System.Collections.Immutable;

namespace Cairn.Storage.Revisions;

/// <summary>Transactions whose records a segment holds; both ends included.</summary>
/// <param name="FirstMain">Smallest revision, main part.</param>
/// <param name="LastMain">Largest revision, main part.</param>
public readonly record struct RevisionRange(long FirstMain, long LastMain)
{
    /// <summary>The range of a segment without records: it overlaps nothing.</summary>
    public static RevisionRange Empty { get; } = new(FirstMain: long.MaxValue, LastMain: long.MinValue);

    /// <summary>Whether no record is in it.</summary>
    public bool IsEmpty => FirstMain > LastMain;
}

/// <summary>A segment as a manifest records it.</summary>
/// <param name="Id">Number of the segment; its file name follows from it.</param>
/// <param name="End">Bytes that count; what the file holds beyond was never committed.</param>
/// <param name="LiveBytes">Bytes of records, headers included, that the index needs.</param>
/// <param name="Revisions">Which transactions it holds.</param>
/// <param name="Sealed">Whether nothing is appended to it any more.</param>
public readonly record struct SegmentState(uint Id, long End, long LiveBytes, RevisionRange Revisions, bool Sealed)
{
    /// <summary>Name of its file, in the directory of the store.</summary>
    public string FileName => SegmentFormat.NameOf(Id);
}

/// <summary>How far the revision log reached at one moment: what a manifest names, and what must be durable before it does.</summary>
/// <param name="Segments">In order of their ids.</param>
public sealed record RevisionLogEnds(ImmutableArray<SegmentState> Segments)
{
    /// <summary>The log of a fresh store.</summary>
    public static RevisionLogEnds Empty { get; } = new([]);

    /// <summary>Compares contents.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both name the same segments with the same ends.</returns>
    public bool Equals(RevisionLogEnds? other) => other is not null && Segments.AsSpan().SequenceEqual(other.Segments.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Segments.IsEmpty ? 0 : HashCode.Combine(Segments.Length, Segments[^1]);
}
