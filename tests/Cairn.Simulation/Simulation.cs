using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.Simulation.Histories;
using Cairn.Simulation.Invariants;
using Cairn.Simulation.Observations;
using Cairn.Simulation.Workloads;
using Google.Protobuf;

namespace Cairn.Simulation;

/// <summary>One run: clients and faults for a while, then peace, in which everything must come right, then the checks.</summary>
internal sealed class Simulation
{
    // In peace a member starts, catches up and answers in a few seconds; the longest lease ends after five, and watchers wait for nobody.
    private static readonly TimeSpan PeaceMax = TimeSpan.FromSeconds(60);

    private readonly Plan _plan;
    private readonly World _world;
    private readonly ImmutableArray<SimulatedMember> _members;
    private readonly SimulatedNetwork _network;
    private readonly Workload _workload;
    private readonly ImmutableArray<Faults> _faults;

    private Simulation(SimulationOptions options)
    {
        _plan = new Plan(options);
        _world = new World(options.Seed);
        var prng = new Prng(options.Seed);
        var logs = new LineLog(_world, options.Log);
        var record = new ClusterRecord(_world, _plan.Members);
        _network = new SimulatedNetwork(_world, _plan, record, new Prng(prng.NextUInt64()));
        _members = [.. Enumerable.Range(1, _plan.Members).Select(i => new SimulatedMember(_world, NodeOptions(i), _plan, logs, _network, record, new Prng(prng.NextUInt64())))];
        _network.Members = _members;
        _workload = new Workload(_world, _plan, _members);
        _faults = [.. _members.Select(member => new Faults(_world, _plan, member, new Prng(prng.NextUInt64())))];
    }

    /// <summary>Runs.</summary>
    /// <param name="options">What the run is about.</param>
    /// <returns>What it came to.</returns>
    public static SimulationResult Run(SimulationOptions options)
    {
        var simulation = new Simulation(options);
        simulation.Run();
        var summary = $"{simulation._world.Steps} steps, {simulation._workload.Answered} answers, "
            + $"{simulation._faults.Sum(faults => faults.Count)} faults, {simulation._members.Sum(member => member.Lives)} lives, "
            + $"revision {simulation._workload.Witness.Next - 1}";
        return new SimulationResult(options.Seed, simulation._plan.Members, simulation._world.Failure, simulation._world.Trace, summary);
    }

    private NodeOptions NodeOptions(int number) => new()
    {
        Name = $"m{number}",
        SnapshotEntries = _plan.MakeSnapshotEntries(),
        WatchProgressInterval = _plan.MakeProgressInterval(),
        PeerUrls = [$"http://m{number}:2380"],
        InitialCluster = [.. Enumerable.Range(1, _plan.Members).Select(i => new InitialMember($"m{i}", [$"http://m{i}:2380"]))],
    };

    private void Run()
    {
        foreach (var member in _members)
        {
            member.Start();
        }

        _workload.Start();
        foreach (var faults in _faults)
        {
            faults.Start();
        }

        _network.Start();
        _world.RunFor(_plan.Duration);
        MakePeace();
        var rows = ReadAll();
        var chronicle = new Chronicle(_workload.Witness);
        Check(chronicle, rows);
        CheckHashes(rows);
    }

    private void MakePeace()
    {
        foreach (var faults in _faults)
        {
            faults.Stop();
        }

        Require(() => _faults.All(faults => faults.HasStopped), "the faults did not end");
        _workload.Link.MayLose = false;
        _network.MakePeace();
        var answered = _workload.Answered;
        Require(() => _workload.Answered > answered + 50, "in peace, clients are not answered");
        _workload.Stop();
        Require(() => _workload.HasStopped, "clients did not end");
        Require(LeasesHaveEnded, "a lease does not end");
        Require(MembersHaveSame, "a member does not catch up");
        Require(WatchersHaveAll, "a watcher does not catch up");
    }

    private bool LeasesHaveEnded() => _members.All(member => member.Node?.Look() is { } status && status.LeaderId != 0) && IsEmpty("lease/");

    private bool IsEmpty(string prefix)
    {
        var request = new RangeRequest { Key = ByteString.CopyFromUtf8(prefix), RangeEnd = ByteString.CopyFromUtf8("lease0"), Serializable = true };
        var answer = _members[0].Node!.RangeAsync(request, default).AsTask();
        return answer is { IsCompleted: true, Result: { Succeeded: true, Value.Count: 0 } };
    }

    private bool MembersHaveSame() =>
        _members.All(member => member.Node is not null) && _members.Select(member => member.Node!.Look().AppliedIndex).Distinct().Count() == 1;

    private bool WatchersHaveAll()
    {
        var revision = _members.Max(member => member.Node?.Look().Revision ?? long.MaxValue);
        return _workload.History.Watches.TrueForAll(watch => watch.Next > revision);
    }

    private List<KeyValue> ReadAll()
    {
        var rows = new List<KeyValue>();
        var request = new RangeRequest { Key = ByteString.CopyFromUtf8("\0"), RangeEnd = ByteString.CopyFromUtf8("\0") };
        if (Ask(_members[0], node => node.RangeAsync(request, default)) is { } answer)
        {
            rows.AddRange(answer.ToMessage().Kvs);
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
        Require(chronicle.Range("\0", "\0", chronicle.Last).SequenceEqual(rows) ? null : "the last state is not what the witness saw happen");
    }

    /// <summary>What every member has is the same, and the same after a last power cut.</summary>
    private void CheckHashes(List<KeyValue> rows)
    {
        var before = _members.Select(Hash).ToList();
        Require(before.Distinct().Count() == 1 ? null : $"members differ: {string.Join(", ", before)}");
        foreach (var member in _members.Where(_ => _world.Failure is null))
        {
            member.CutPower(CrashMode.Lose);
            member.Start();
        }

        Require(() => _members.All(member => member.Node?.Look().LeaderId > 0), "no leader after the last restart");
        Require(MembersHaveSame, "a member does not catch up after the last restart");
        Require(ReadAll().SequenceEqual(rows) ? null : "the state is not the same after the last restart");
        var after = _members.Select(Hash).ToList();
        Require(before.SequenceEqual(after) ? null : $"hashes changed from {before[0]} to {after[0]}");
    }

    private (uint Hash, long Compacted, long Revision) Hash(SimulatedMember member)
    {
        var answer = Ask(member, node => node.HashKvAsync(new HashKVRequest(), default));
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

    private void Require(Func<bool> condition, string otherwise)
    {
        if (_world.Failure is null && !_world.RunUntil(condition, PeaceMax))
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
