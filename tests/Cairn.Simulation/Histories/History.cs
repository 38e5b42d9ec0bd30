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
}
