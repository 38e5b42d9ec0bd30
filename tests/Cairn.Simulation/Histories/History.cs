namespace Cairn.Simulation.Histories;

/// <summary>Everything that clients asked and were told in a run.</summary>
internal sealed class History
{
    public List<Operation> Operations { get; } = [];

    public List<LeaseRecord> Leases { get; } = [];

    public List<WatchRecord> Watches { get; } = [];

    public List<HashRecord> Hashes { get; } = [];

    /// <summary>Revisions at which history was to be dropped, and when that was first asked.</summary>
    public List<(long Revision, long Invoked)> Compactions { get; } = [];

    /// <summary>The operations that tell of nothing later than a revision.</summary>
    public History UpTo(long revision)
    {
        var part = new History();
        part.Operations.AddRange(Operations.Where(operation => operation.Revision <= revision && operation.Readings.TrueForAll(reading => reading.Revision <= revision)));
        return part;
    }
}
