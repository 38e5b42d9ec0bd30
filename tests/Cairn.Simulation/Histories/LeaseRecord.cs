namespace Cairn.Simulation.Histories;

/// <summary>What a client was promised about one lease.</summary>
internal sealed class LeaseRecord
{
    public required long Id { get; init; }

    /// <summary>The one key that is attached to it, and to nothing else.</summary>
    public required string Key { get; init; }

    /// <summary>Before this moment it must not end by itself: the last acknowledged renewal was asked for a time to live before, on the fastest clock.</summary>
    public long Deadline { get; private set; }

    /// <summary>When the client first asked for its end; never, if it did not.</summary>
    public long Revoked { get; set; } = long.MaxValue;

    /// <summary>Counts an acknowledged grant or renewal.</summary>
    /// <param name="asked">When it was asked for.</param>
    /// <param name="ttl">What was granted, in seconds.</param>
    public void Renew(long asked, long ttl) =>
        Deadline = Math.Max(Deadline, asked + (ttl * TimeSpan.TicksPerSecond * 100 / (100 + ClockSkew.PercentMax)));
}
