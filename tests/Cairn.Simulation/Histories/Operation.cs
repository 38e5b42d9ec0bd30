using Cairn.Protocol;

namespace Cairn.Simulation.Histories;

/// <summary>What a client knows of an operation in the end.</summary>
internal enum OperationEnd
{
    /// <summary>No answer, or one that leaves it open: it may have happened, and may happen still.</summary>
    Unknown,

    /// <summary>Answered.</summary>
    Done,

    /// <summary>Refused for sure: it never happens.</summary>
    Refused,
}

/// <summary>One operation of a client on keys: what it asked, when, and what it was told.</summary>
internal sealed class Operation
{
    public required int Client { get; init; }

    public required string What { get; init; }

    public required long Invoked { get; init; }

    /// <summary>Name of the member that was called.</summary>
    public string Member { get; set; } = "";

    /// <summary>When the answer came; never, without one.</summary>
    public long Returned { get; set; } = long.MaxValue;

    public OperationEnd End { get; set; }

    /// <summary>Revision in the header of the answer.</summary>
    public long Revision { get; set; }

    /// <summary>What it writes if it does: values are unique in a run.</summary>
    public List<(string Key, string Value)> Puts { get; } = [];

    /// <summary>What it deletes if it does: a key, or a range with an end.</summary>
    public List<(string Key, string End)> Deletes { get; } = [];

    /// <summary>Whether the answer says that it changed something.</summary>
    public bool Wrote { get; set; }

    /// <summary>Whether its answer must be of a moment between call and return.</summary>
    public bool IsLinearizable { get; init; } = true;

    /// <summary>What it was shown.</summary>
    public List<Reading> Readings { get; } = [];

    /// <summary>A comparison of its: key, the mod revision that it expects, and whether that was so.</summary>
    public (string Key, long ModRevision, bool Held)? Comparison { get; set; }

    /// <summary>Set when it was refused because history is gone.</summary>
    public long CompactedRevision { get; set; }

    public override string ToString() =>
        $"{What} of client {Client} at {Member}, called at {Seconds(Invoked)}, {End} at {(Returned == long.MaxValue ? "never" : Seconds(Returned))}, revision {Revision}";

    private static string Seconds(long ticks) => $"{TimeSpan.FromTicks(ticks).TotalSeconds:F3} s";
}

/// <summary>Rows that a client was shown.</summary>
/// <param name="Key">First key.</param>
/// <param name="End">End of the range, exclusive; "" for one key.</param>
/// <param name="Revision">Revision of which they are.</param>
/// <param name="Rows">All rows of the range.</param>
internal sealed record Reading(string Key, string End, long Revision, IReadOnlyList<KeyValue> Rows);
