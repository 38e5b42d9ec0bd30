using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Simulation;

/// <summary>What a seed decides about a run before it begins: how large things are, what goes wrong, and how often.</summary>
/// <remarks>Not every run has every fault: one that never stops hides what another needs a while of peace for.</remarks>
internal sealed class Plan
{
    private readonly Prng _prng;

    /// <summary>Draws a plan.</summary>
    /// <param name="options">What is asked for.</param>
    public Plan(SimulationOptions options)
    {
        _prng = new Prng(options.Seed ^ 0x91A7);
        Plant = options.Plant;
        // Drawn in any case, so that a run which is told what it would have drawn is the same run.
        var members = Pick(1, 3, 3, 3, 3, 4, 5, 7);
        Members = options.Members ?? members;
        Duration = TimeSpan.FromSeconds(Members > 3 ? Pick(10, 20) : Pick(10, 20, 40));
        FaultPauseMilliseconds = Pick(2000, 5000, 15_000) * Members;
        LossPerThousand = Pick(0, 5, 20, 60);
        RepeatPerThousand = Pick(0, 10, 30);
        LatePerThousand = Pick(0, 20, 60);
        ChangesMembers = Chance(1, 3);
        CutsLinks = Chance(2, 3);
        Faults = [.. Enum.GetValues<FaultKind>().Where(static kind => kind < FaultKind.RollBack).Where(_ => Chance(1, 2))];
        ClockSkewPercentMax = Pick(0, 1, ClockSkew.PercentMax);
        if (options.Rots)
        {
            members = Pick(3, 3, 5);
            Members = options.Members ?? members;
            ChangesMembers = false;
            Faults = [FaultKind.Rot, FaultKind.Rot, FaultKind.Kill, FaultKind.Restart];
            FaultPauseMilliseconds = 2000 * Members;
            FlipsAtOnce = 20;
        }

        if (options.Heals)
        {
            members = Pick(3, 3, 5);
            Members = options.Members ?? members;
            ChangesMembers = false;
            HasSpare = Chance(1, 4);
            LosesMajority = !HasSpare && Chance(2, 5);
            RecoversByItself = Chance(1, 2);
            ReplaceAfter = HasSpare ? TimeSpan.FromSeconds(20) : ReplaceAfter;
            RecoverAfter = TimeSpan.FromSeconds(Pick(5, 20));
            Duration = TimeSpan.FromSeconds(LosesMajority ? 40 : 60);
            Faults =
            [
                .. Faults.Where(static kind => kind is not FaultKind.Rot),
                FaultKind.Wipe, FaultKind.RollBack, FaultKind.Exchange, FaultKind.Copy, FaultKind.StopHook, FaultKind.Move, FaultKind.StartLate, FaultKind.KillAll,
                .. HasSpare ? [FaultKind.GoAway] : Array.Empty<FaultKind>(),
            ];
            FaultPauseMilliseconds = 3000 * Members;
            KeepsImages = true;
        }
    }

    /// <summary>A bug to be found.</summary>
    public Plant Plant { get; }

    /// <summary>How long faults happen.</summary>
    public TimeSpan Duration { get; }

    /// <summary>Size of the cluster at first.</summary>
    public int Members { get; }

    /// <summary>Longest pause between two faults of one member.</summary>
    public int FaultPauseMilliseconds { get; }

    /// <summary>Messages between members that are lost.</summary>
    public int LossPerThousand { get; }

    /// <summary>Messages between members that arrive twice.</summary>
    public int RepeatPerThousand { get; }

    /// <summary>Messages between members that take up to two seconds.</summary>
    public int LatePerThousand { get; }

    /// <summary>Whether members are added and removed.</summary>
    public bool ChangesMembers { get; }

    /// <summary>Whether links between members are cut now and then.</summary>
    public bool CutsLinks { get; }

    /// <summary>What happens to members.</summary>
    public IReadOnlyList<FaultKind> Faults { get; }

    /// <summary>Bits that flip at a time, each in a file of its own.</summary>
    public int FlipsAtOnce { get; } = 1;

    /// <summary>Whether images of disks are kept, to be put in their place later.</summary>
    public bool KeepsImages { get; }

    /// <summary>Whether there is a spare learner.</summary>
    public bool HasSpare { get; }

    /// <summary>Whether a majority's disks are lost for good in the end.</summary>
    public bool LosesMajority { get; }

    /// <summary>Whether survivors may go on by themselves, once all others have attested that they are empty; else a person decides.</summary>
    public bool RecoversByItself { get; }

    /// <summary>How long a member may be gone before the spare learner takes its place.</summary>
    public TimeSpan ReplaceAfter { get; } = TimeSpan.FromMinutes(5);

    /// <summary>How long survivors wait before they go on by themselves.</summary>
    public TimeSpan RecoverAfter { get; } = TimeSpan.FromMinutes(30);

    /// <summary>How wrong clocks are.</summary>
    public int ClockSkewPercentMax { get; }

    /// <summary>Draws the layout of a member's log.</summary>
    public WalOptions MakeWalOptions() => new() { SegmentBytes = Pick(8, 16, 64, 256) * 1024 };

    /// <summary>Draws the layout of a member's segments.</summary>
    public RevisionLogOptions MakeRevisionLogOptions()
    {
        var chunk = Pick(1, 4, 16) * 1024;
        return new RevisionLogOptions { SegmentBytes = Pick(16, 32, 128) * 1024, ChunkBytes = chunk, TailBytes = chunk * Pick(2, 8, 64) };
    }

    /// <summary>Draws after how many entries a member writes its state.</summary>
    public long MakeSnapshotEntries() => Pick(10, 50, 300);

    /// <summary>Draws how many entries a member keeps for others.</summary>
    public long MakeCatchUpEntries() => Pick(0, 20, 200, 20_000);

    /// <summary>Draws how often watchers are told of progress.</summary>
    public TimeSpan MakeProgressInterval() => TimeSpan.FromMilliseconds(_prng.Between(200, 3000));

    private bool Chance(int numerator, int denominator) => _prng.Chance(numerator, denominator);

    private int Pick(params ReadOnlySpan<int> choices) => choices[_prng.Below(choices.Length)];
}
