namespace Cairn.Server.Healing;

/// <summary>What the planner goes by.</summary>
internal sealed record HealPolicy
{
    /// <summary>How much is done.</summary>
    public HealMode Mode { get; init; } = HealMode.Auto;

    /// <summary>A member that was silent for longer counts as out of reach: two election timeouts.</summary>
    public TimeSpan ReachableWithin { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>An application, or an answer, that is older says nothing about now.</summary>
    public TimeSpan FreshWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A process that asked for so long, while another one of its member was heard, is a copy: one that was started again is heard sooner.</summary>
    public TimeSpan CopyAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a voter may be gone before a spare learner takes its place, and a member that never started may cost the quorum its reserve or stand in the way of a heal.</summary>
    public TimeSpan ReplaceAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a member that was added and did not start is waited for, if it costs nothing.</summary>
    public TimeSpan ClearAfter { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long one heal waits for a directory that has gone silent, before others get their turn.</summary>
    public TimeSpan GiveUpAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Pause between two heals.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest pause after heals that were given up.</summary>
    public TimeSpan PauseMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A learner that lacks no more entries is in sync.</summary>
    public ulong InSyncEntries { get; init; } = 1000;

    /// <summary>A learner that runs and was not in sync for so long is reported.</summary>
    public TimeSpan SlowAfter { get; init; } = TimeSpan.FromMinutes(10);
}
