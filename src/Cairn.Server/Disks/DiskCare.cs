namespace Cairn.Server.Disks;

/// <summary>What a node does about its disk; started and stopped as one.</summary>
internal sealed class DiskCare
{
    private readonly Scrub _scrub;
    private readonly StartCheck _check;

    /// <summary>Prepares; nothing runs yet.</summary>
    /// <param name="node">The node.</param>
    public DiskCare(NodeRuntime node)
    {
        Watch = new DiskWatch(node);
        Reserve = new SpaceReserve(node);
        Damage = new DamageList(node);
        _scrub = new Scrub(node);
        _check = new StartCheck(node);
    }

    /// <summary>Knows how the disks do.</summary>
    public DiskWatch Watch { get; }

    /// <summary>Room for the day on which the disk is full.</summary>
    public SpaceReserve Reserve { get; }

    /// <summary>What was found to be damaged.</summary>
    public DamageList Damage { get; }

    /// <summary>Whether the data directory ends with its container, or with the machine's memory.</summary>
    public bool IsEphemeral => _check.IsEphemeral;

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public Task RunAsync() => Task.WhenAll(Watch.RunAsync(), Reserve.RunAsync(), _scrub.RunAsync(), _check.RunAsync());

    /// <summary>Ends the loops.</summary>
    public void Stop()
    {
        Watch.Stop();
        Reserve.Stop();
        _scrub.Stop();
        _check.Stop();
    }
}
