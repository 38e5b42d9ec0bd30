using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.Simulation.Histories;
using Cairn.Simulation.Invariants;
using Google.Protobuf;

namespace Cairn.Simulation;

// What happens here, all decided by the seed:
//
//   parted     those who will be left are cut off before, so that the others acknowledge what nobody else has
//   lost       the disks of a majority are gone at once; sometimes those who are left are killed with them
//   back       members come back with empty disks, before somebody has decided or after
//   found      a disk that was given up turns up again, never so many that the old cluster could elect a leader: a person asserted that they are gone
//   decided    by the survivors, once all others attest that they are empty (--heal-recover=auto), or by a person, who is shown what is left, as `cairn recover` does it

/// <summary>A majority of disks that is gone for good, and what is decided then. Other faults go on meanwhile, but for those of disks.</summary>
internal sealed class LostMajority(World world, Plan plan, Fleet fleet)
{
    // A survey that is older says nothing about now; the command refuses it as well.
    private const int SurveySeconds = 60;

    private readonly Prng _prng = new(world.Seed ^ 0x7057);
    private readonly Dictionary<SimulatedMember, DiskImage> _images = [];
    private List<SimulatedMember> _survivors = [];
    private ulong _former;

    /// <summary>Whether it has happened.</summary>
    public bool IsDone => _former != 0;

    /// <summary>Committed entries that nobody holds any more.</summary>
    public int LostEntries { get; private set; }

    /// <summary>Whether a person had to decide for survivors that decide by themselves.</summary>
    public bool IsDecidedAboutUnknown { get; private set; }

    /// <summary>Whether a new cluster has taken the place of the lost one.</summary>
    public bool HasNewEpoch => fleet.Lineage.NewestId != _former && fleet.All.Any(member => member.ClusterId == fleet.Lineage.NewestId && member.Node?.Look() is { LeaderId: not 0 });

    private int Quorum => (plan.Members / 2) + 1;

    /// <summary>Draws for how long something goes on.</summary>
    public TimeSpan DrawTime(int secondsMax) => TimeSpan.FromMilliseconds(_prng.Between(0, secondsMax * 1000L));

    /// <summary>Chooses who will be left, and perhaps cuts them off.</summary>
    public void Part()
    {
        _survivors = [.. fleet.All.OrderBy(_ => _prng.NextUInt64()).Take((int)_prng.Between(1, plan.Members - Quorum))];
        if (_prng.Chance(1, 2))
        {
            fleet.Network.Isolate(_survivors.Select(member => member.MemberId));
        }
    }

    /// <summary>Takes the disks away.</summary>
    public void Lose()
    {
        _former = fleet.Lineage.NewestId;
        fleet.Lineage.MayBeReplaced();
        foreach (var member in fleet.All.Except(_survivors))
        {
            member.CutPower((CrashMode)_prng.Below(5));
            _images.Add(member, member.TakeImage());
            member.Wipe(FaultKind.LoseMajority);
            member.IsAway = true;
            if (plan.RecoversByItself || _prng.Chance(1, 2))
            {
                ComeBack(member, DrawTime(30));
            }
        }

        fleet.Network.Isolate([]);
        foreach (var member in _survivors.Where(member => member.IsUp && _prng.Chance(1, 3)))
        {
            member.Kill();
            ComeBack(member, DrawTime(5));
        }
    }

    /// <summary>Lets a person decide, unless the survivors do.</summary>
    public void Decide()
    {
        if (!plan.RecoversByItself)
        {
            world.Outside.Run(() => _ = DecideAsync());
        }
    }

    /// <summary>
    /// Lets a person decide where survivors may not by themselves: somebody attests nothing, and where they look for him stands none of those whose disks were lost. Where one does, they have to go on by themselves.
    /// </summary>
    public void DecideAboutUnknown()
    {
        if (plan.RecoversByItself && _survivors.Exists(member => member.ClusterId == _former && ReadSurvey(member) is { } survey && survey.Survivors.Any(IsSoughtElsewhere)))
        {
            IsDecidedAboutUnknown = true;
            world.Outside.Run(() => _ = DecideAsync());
        }
    }

    private bool IsSoughtElsewhere(Survivor lost) => !lost.HoldsData && lost.State == "does not answer" && !fleet.All.Except(_survivors).Any(member => lost.PeerUrls.Contains(member.PeerUrl));

    /// <summary>Brings back who is still away, with an empty disk or with the one that was given up.</summary>
    public void BringBack()
    {
        var found = 0;
        foreach (var (member, image) in _images.Where(lost => lost.Key.IsAway).ToList())
        {
            if (found < Quorum - _survivors.Count && _prng.Chance(2, 3))
            {
                member.Find(image);
                found++;
            }

            ComeBack(member, DrawTime(10));
        }
    }

    /// <summary>Holds what was announced against what is known.</summary>
    /// <param name="history">What clients were told before.</param>
    /// <param name="state">What the new epoch says of itself.</param>
    /// <param name="begin">What it begins with.</param>
    /// <returns>What is wrong; null if nothing is.</returns>
    public string? Check(History history, HealingState state, Baseline begin)
    {
        if (state.Finished.FirstOrDefault(static heal => heal.Kind == HealKind.FoundEpoch) is not { } founding)
        {
            return "the new epoch does not say how it was founded";
        }

        var former = fleet.Lineage.Of(_former);
        var founder = former.Logs[fleet.Lineage.NewestFounder];
        LostEntries = Enumerable.Range(1, former.Committed.Count).Count(index => !founder.IsBelow((ulong)index) && founder.TermOf((ulong)index) != former.Committed[index - 1]);
        return AnnouncedLoss.Check(founding.Result, former.Committed, founder, history, begin);
    }

    private void ComeBack(SimulatedMember member, TimeSpan delay) => world.After(delay, world.Outside, () =>
    {
        member.IsAway = false;
        if (!member.IsUp)
        {
            member.Start();
        }
    });

    private static RecoverySurvey? ReadSurvey(SimulatedMember member) =>
        !member.Disk.IsOff && member.Disk.FileExists(DataDirectory.Survey) ? RecoverySurvey.Parser.ParseFrom(member.Disk.ReadAll(DataDirectory.Survey)) : null;

    private async Task DecideAsync()
    {
        while (!HasNewEpoch)
        {
            await Task.Delay(TimeSpan.FromSeconds(SurveySeconds), world.Outside.Time);
            if (_survivors.OrderBy(_ => _prng.NextUInt64()).FirstOrDefault(member => member.ClusterId == _former && ReadSurvey(member) is not null) is not { } survivor)
            {
                continue;
            }

            // What `cairn recover` reads and writes.
            var survey = ReadSurvey(survivor)!; // It was found.
            if (survey.Obstacle.Length == 0 && survey.Survivors.FirstOrDefault(static each => each.IsBest) is { } best)
            {
                var wish = new RecoveryWish { ClusterId = survey.ClusterId, LastTerm = best.LastTerm, LastIndex = best.LastIndex };
                wish.GivenUp.AddRange(survey.Survivors.Where(static each => !each.HoldsData).Select(static each => each.MemberId));
                survivor.Disk.Put(DataDirectory.RecoveryWish, wish.ToByteArray());
            }
        }
    }
}
