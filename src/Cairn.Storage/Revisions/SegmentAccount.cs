namespace Cairn.Storage.Revisions;

/// <summary>What the log knows about a segment beyond its bytes. Owned by the appender.</summary>
/// <param name="segment">The bytes.</param>
internal sealed class SegmentAccount(Segment segment)
{
    /// <summary>The bytes.</summary>
    public Segment Segment { get; } = segment;

    /// <summary>Bytes of records, headers included, that the index needs.</summary>
    public long LiveBytes { get; set; }

    /// <summary>Whether nothing is appended to it any more.</summary>
    public bool Sealed { get; set; }

    /// <summary>Where the newest manifest ends it; 0 if that does not name it.</summary>
    public long ManifestEnd { get; set; }

    /// <summary>The part that counts: all that was appended, or for the cleaner's output all whose moves were taken over.</summary>
    public required long End { get; set; }

    /// <summary>Whether it cannot be read from end to end.</summary>
    public bool IsDamaged { get; set; }

    /// <summary>Bytes of its records that nobody needs.</summary>
    public long DeadBytes => End - SegmentFormat.HeaderBytes - LiveBytes;

    /// <summary>Whether the cleaner may empty it: complete, and named in full by the newest manifest, so that the index and the accounts cover all of it.</summary>
    public bool IsCleanable => Sealed && ManifestEnd == End && !Segment.Failed && !IsDamaged;

    /// <summary>Checks what must always hold.</summary>
    public void AssertInvariants()
    {
        Invariant.Holds(LiveBytes >= 0 && DeadBytes >= 0, $"{Segment.Path}: {LiveBytes} live of {End}");
        Invariant.Holds(End <= Segment.End && ManifestEnd <= End);
    }

    /// <summary>As a manifest records it.</summary>
    /// <returns>Its state now.</returns>
    public SegmentState Capture() => new(Segment.Id, End, LiveBytes, Segment.Revisions, Sealed);
}
