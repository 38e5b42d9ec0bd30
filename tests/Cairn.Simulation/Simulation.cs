using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.Simulation.Histories;
using Cairn.Simulation.Invariants;
using Cairn.Simulation.Workloads;
using Google.Protobuf;

namespace Cairn.Simulation;

/// <summary>One run: clients and faults for a while, then peace, in which everything must come right, then the checks.</summary>
internal sealed class Simulation
{
    // In peace a member starts, catches up and answers in a few seconds; the longest lease ends after five, and watchers wait for nobody.
    private static readonly TimeSpan PeaceMax = TimeSpan.FromSeconds(60);

    // A heal waits for five minutes for a directory that is gone, and one is done after the other.
    private static readonly TimeSpan HealMax = TimeSpan.FromMinutes(10);

    private readonly Plan _plan;
    private readonly World _world;
    private readonly Fleet _fleet;
    private readonly LostMajority _lost;
    private Workload _workload;
    private long _answered;

    private Simulation(SimulationOptions options)
    {
        _plan = new Plan(options);
        _world = new World(options.Seed);
        _fleet = new Fleet(_world, _plan, new LineLog(_world, options.Log), new Prng(options.Seed));
        _workload = new Workload(_world, _plan, _fleet);
        _lost = new LostMajority(_world, _plan, _fleet);
    }

    private IEnumerable<SimulatedMember> Members => _fleet.Current;

    /// <summary>A member that answers everything.</summary>
    private SimulatedMember Voter => Members.First(member => member.Node?.Look() is { IsLearner: false, AppliedIndex: > 0 });

    /// <summary>Runs.</summary>
    /// <param name="options">What the run is about.</param>
    /// <returns>What it came to.</returns>
    public static SimulationResult Run(SimulationOptions options)
    {
        var simulation = new Simulation(options);
        simulation.Run();
        var summary = $"{simulation._world.Steps} steps, {simulation._answered + simulation._workload.Answered} answers, "
            + $"{simulation._fleet.FaultCount} faults, {simulation._fleet.All.Sum(member => member.Lives)} lives, "
            + $"revision {simulation._workload.Witness.Next - 1}" + (simulation._lost.IsDone ? $", a majority lost, with {simulation._lost.LostEntries} committed entries" : "")
            + (simulation._lost.IsDecidedAboutUnknown ? ", a person decided about somebody whom nobody knew where he was" : "");
        var mode = options.Rots ? "--rots " : options.Heals ? "--heals " : "";
        return new SimulationResult(
            options.Seed, mode, simulation._plan.Members, simulation._world.Failure, simulation._world.Trace, simulation._fleet.FlipCount, string.Join(' ', simulation._fleet.Pairs),
            simulation._lost.LostEntries, TimeSpan.FromTicks(simulation._world.Now), summary);
    }

    private void Run()
    {
        _fleet.Start();
        _workload.Start();
        _world.RunFor(_plan.Duration);
        if (_plan.LosesMajority)
        {
            LoseMajority();
        }

        MakePeace();
        if (_world.Failure is not null)
        {
            return;
        }

        var rows = ReadAll();
        var chronicle = new Chronicle(_workload.Begin, _workload.Witness);
        Check(chronicle, rows);
        CheckHashes(rows);
    }

    /// <summary>Lets a majority's disks go, and somebody decide; then what the survivors held must be there, what else is lost announced, and all who are left members of the new epoch.</summary>
    private void LoseMajority()
    {
        _fleet.IsFragile = true;
        HealOrStopFaults(() => _fleet.IsWhole && _fleet.KnowEachOther);
        RequireWhole("a member is not healed");
        Require(() => _fleet.IsWhole && _fleet.KnowEachOther, "members do not know where all are");
        _lost.Part();
        _world.RunFor(_lost.DrawTime(4));
        _lost.Lose();
        _world.RunFor(_lost.DrawTime(2));
        _workload.End();
        _workload.Link.MayLose = false;
        Require(() => _workload.HasStopped, "clients did not end");
        _lost.Decide();
        HealOrStopFaults(() => _lost.HasNewEpoch);
        _lost.DecideAboutUnknown();
        Require(() => _lost.HasNewEpoch, "nobody founds a new epoch", HealMax);
        _lost.BringBack();
        _world.RunFor(_lost.DrawTime(20));
        _fleet.StopFaults();
        Require(() => _fleet.IsCalm, "the faults did not end", 2 * PeaceMax);
        _fleet.MakePeace();
        RequireWhole("the new epoch is not whole");

        // Who asks while members that were cut off before elect another leader is told so, and a client would ask again.
        Require(() => Members.All(static member => member.Node?.Look().LeaderId > 0), "the new epoch has no leader");
        if (_world.Failure is not null)
        {
            return;
        }

        var before = _workload;
        var status = Ask(Voter, node => node.HealStatusAsync(new HealStatusRequest(), default));
        var begin = Ask(Voter, RangeAsync) is { } range ? new Baseline(range.Header.Revision, [.. range.Kvs]) : null;
        if (status is not null && begin is not null)
        {
            Require(CheckBefore(before));
            Require(_lost.Check(before.History, status.State, begin));
            _answered = before.Answered;
            _workload = new Workload(_world, _plan, _fleet, begin);
            _workload.History.Leases.AddRange(before.History.Leases);
            _workload.Start();
        }
    }

    /// <summary>Checks what happened before a majority was lost, as far as a watcher of everything saw it.</summary>
    private static string? CheckBefore(Workload before)
    {
        var chronicle = new Chronicle(before.Begin, before.Witness);
        var seen = before.History.UpTo(chronicle.Last);
        return KeyVersions.Check(chronicle) ?? EveryChangeHasACause.Check(chronicle, before.History) ?? AnswersMatchState.Check(chronicle, seen)
            ?? RealTimeOrder.Check(chronicle, before.History) ?? CompactionFloor.Check(before.History) ?? HashesAgree.Check(chronicle, before.History);
    }

    private static async ValueTask<Answer<RangeResponse>> RangeAsync(Node node)
    {
        var answer = await node.RangeAsync(new RangeRequest { Key = ByteString.CopyFromUtf8("\0"), RangeEnd = ByteString.CopyFromUtf8("\0") }, default);
        return answer.Succeeded ? answer.Value.ToMessage() : answer.Error;
    }

    private void MakePeace()
    {
        _fleet.StopFaults();
        Require(() => _fleet.IsCalm, "the faults did not end", 2 * PeaceMax);
        _workload.Link.MayLose = false;
        _fleet.MakePeace();
        var answered = _workload.Answered;
        Require(() => _workload.Answered > answered + 50, "in peace, clients are not answered");
        _workload.Stop();
        Require(() => _workload.HasStopped, "clients did not end");
        _workload.Settle();
        Require(() => _workload.HasStopped, "not every member was started");
        _fleet.Revive();
        if (_plan.KeepsImages)
        {
            RequireWhole("the cluster is not whole");
        }

        Require(() => Members.Any(member => member.Node?.Look() is { IsLearner: false }), "nobody answers everything");
        Require(LeasesHaveEnded, "a lease does not end");
        Require(() => !_fleet.All.Any(member => member.IgnoresRemoval), "a removed member does not learn it");
        Require(MembersHaveSame, "a member does not catch up");
        Require(WatchersHaveAll, "a watcher does not catch up");
    }

    private bool LeasesHaveEnded() => MembersHaveSame() && IsEmpty("lease/");

    private bool IsEmpty(string prefix)
    {
        var request = new RangeRequest { Key = ByteString.CopyFromUtf8(prefix), RangeEnd = ByteString.CopyFromUtf8("lease0"), Serializable = true };
        var answer = Voter.Node!.RangeAsync(request, default).AsTask();
        return answer is { IsCompleted: true, Result: { Succeeded: true, Value.Count: 0 } };
    }

    private bool MembersHaveSame() => _fleet.IsAtRest;

    private bool WatchersHaveAll()
    {
        var revision = Members.Max(member => member.Node?.Look().Revision ?? long.MaxValue);
        return _workload.History.Watches.TrueForAll(watch => watch.Next > revision);
    }

    private List<KeyValue> ReadAll()
    {
        var rows = new List<KeyValue>();
        if (Ask(Voter, RangeAsync) is { } answer)
        {
            rows.AddRange(answer.Kvs);
        }

        return rows;
    }

    private void Check(Chronicle chronicle, List<KeyValue> rows)
    {
        var history = _workload.History;
        Require(KeyVersions.Check(chronicle));
        Require(AcknowledgedWrites.Check(chronicle, history));
        Require(EveryChangeHasACause.Check(chronicle, history));
        Require(AnswersMatchState.Check(chronicle, history));
        Require(RealTimeOrder.Check(chronicle, history));
        Require(WatchGuarantees.Check(chronicle, history));
        Require(LeasePromises.Check(chronicle, history));
        Require(CompactionFloor.Check(history));
        Require(HashesAgree.Check(chronicle, history));
        Require(chronicle.Range("\0", "\0", chronicle.Last).SequenceEqual(rows) ? null : "the last state is not what the witness saw happen");
    }

    /// <summary>What every member has is the same, and the same after a last power cut.</summary>
    private void CheckHashes(List<KeyValue> rows)
    {
        // Not who was just taken in, and has nothing yet: it does not know either that it is a learner.
        var voters = Voter.Voters;
        var before = Members.Where(member => member.Node is { } node && voters.Contains(node.MemberId)).Select(Hash).ToList();
        Require(before.Distinct().Count() == 1 ? null : $"members differ: {string.Join(", ", before)}");
        foreach (var member in Members.Where(_ => _world.Failure is null).ToList())
        {
            member.CutPower(CrashMode.Lose);
            member.Start();
        }

        Require(() => Members.All(member => member.Node?.Look().LeaderId > 0), "no leader after the last restart");
        Require(ReadAll().SequenceEqual(rows) ? null : "the state is not the same after the last restart");

        // Who was read from has applied all that was ever committed; before that, all may have the same and less.
        Require(MembersHaveSame, "a member does not catch up after the last restart");
        var after = Members.Where(member => member.Node?.Look() is { IsLearner: false }).Select(Hash).ToList();
        Require(after.TrueForAll(hash => hash == before[0]) ? null : $"hashes changed from {before[0]} to {string.Join(", ", after)}");
    }

    private (uint Hash, long Compacted, long Revision) Hash(SimulatedMember member)
    {
        var answer = Ask(member, node => node.HashKvAsync(new HashKVRequest(), default));
        for (var i = 0; i < PeaceMax.TotalSeconds && answer is null && _world.Failure is null; i++)
        {
            // It met a damaged row, which is healed now.
            _world.RunFor(TimeSpan.FromSeconds(1));
            answer = Ask(member, node => node.HashKvAsync(new HashKVRequest(), default));
        }

        return answer is null ? default : (answer.Hash, answer.CompactRevision, answer.HashRevision);
    }

    private T? Ask<T>(SimulatedMember member, Func<Node, ValueTask<Answer<T>>> call)
        where T : class
    {
        if (_world.Failure is not null)
        {
            return null;
        }

        Task<(CallEnd End, Answer<T> Answer)>? asked = null;
        _world.Outside.Run(() => asked = _workload.Link.CallAsync(member, call, PeaceMax));
        Require(() => asked is { IsCompleted: true }, "a question is not answered");
        if (asked is not { IsCompleted: true })
        {
            return null;
        }

        Require(asked.Result.Answer.Succeeded ? null : $"a question is refused: {asked.Result.End} {asked.Result.Answer.Error}");
        return asked.Result.Answer.Value;
    }

    /// <summary>Lets faults go on for as long as they must not keep a heal from ending. That it ends however often a member fails meanwhile is not promised; when they stop, it must.</summary>
    private void HealOrStopFaults(Func<bool> isHealed)
    {
        if (_world.Failure is null && !_world.RunUntil(isHealed, HealMax))
        {
            _fleet.StopFaults();
        }
    }

    /// <summary>Waits until nothing is left to be healed.</summary>
    private void RequireWhole(string otherwise)
    {
        if (_world.Failure is null && !_world.RunUntil(() => _fleet.IsWhole, HealMax))
        {
            _world.Fail($"{otherwise}: {string.Join("; ", _fleet.All.Where(member => !member.IsWhole || member.IsHealing))}");
        }
    }

    private void Require(Func<bool> condition, string otherwise, TimeSpan? limit = null)
    {
        if (_world.Failure is null && !_world.RunUntil(condition, limit ?? PeaceMax))
        {
            _world.Fail(otherwise);
        }
    }

    private void Require(string? failure)
    {
        if (failure is not null)
        {
            _world.Fail(failure);
        }
    }
}
