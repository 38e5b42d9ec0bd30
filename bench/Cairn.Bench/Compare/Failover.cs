using Cairn.Bench.Load;
using Cairn.Bench.Measure;
using Cairn.Protocol;

namespace Cairn.Bench.Compare;

/// <summary>Measures for how long a cluster takes no writes when its leader is killed, and when leadership is handed over on request.</summary>
internal sealed class Failover
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ComparisonPlan _plan;
    private readonly NanoClock _clock;
    private readonly Scoreboard _board;
    private readonly TextWriter _progress;

    /// <summary>Prepares the measures.</summary>
    /// <param name="plan">What is compared; kills and transfers are its rounds.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="board">Gets the samples.</param>
    /// <param name="progress">Gets a line for each step.</param>
    public Failover(ComparisonPlan plan, NanoClock clock, Scoreboard board, TextWriter progress)
    {
        _plan = plan;
        _clock = clock;
        _board = board;
        _progress = progress;
    }

    /// <summary>Kills the leader again and again; the killed member is back before the next kill.</summary>
    public void Kills() => ForEachContestant("kills", (cluster, who) =>
    {
        for (var round = 0; round < _plan.Rounds; round++)
        {
            var leader = cluster.Leader();
            using (var probe = new WriteProbe(cluster.EndPoints.Where(endPoint => endPoint != leader.EndPoint), _clock))
            {
                probe.FirstAfter(_clock.Now, Patience);
                var killed = _clock.Now;
                leader.Kill();
                var gap = probe.FirstAfter(killed, Patience);
                _board.Add(new("leader killed, to the next acknowledged put", "ms", false), Placement.Free, who, gap.TotalMilliseconds);
                _progress.WriteLine($"  kill {round + 1} of {_plan.Rounds}: {gap.TotalMilliseconds:F0} ms");
            }

            cluster.Restart(leader);
        }
    });

    /// <summary>Asks the leader to hand over, again and again, under load from all clients on all members.</summary>
    public void Transfers() => ForEachContestant("transfers", (cluster, who) =>
    {
        Load(cluster); // Else the first transfer is measured on servers that never took a put.
        for (var round = 0; round < _plan.Rounds; round++)
        {
            _board.Add(new("no hand-over, longest wait of a put", "ms", false), Placement.Free, who, Load(cluster).Latency.MaxNanoseconds / 1e6);
            var load = Task.Factory.StartNew(() => Load(cluster), TaskCreationOptions.LongRunning);
            var moved = Move(cluster);
            var result = load.GetAwaiter().GetResult();
            _board.Add(new("hand-over, longest wait of a put", "ms", false), Placement.Free, who, result.Latency.MaxNanoseconds / 1e6);
            _board.Add(new("hand-over, failed puts", "calls", false), Placement.Free, who, result.Failed);
            _board.Add(new("hand-over, the call itself", "ms", false), Placement.Free, who, moved.TotalMilliseconds);
            string cause = result.Failures.Keys.FirstOrDefault() is { } first ? $", such as: {first}" : "";
            _progress.WriteLine($"  transfer {round + 1} of {_plan.Rounds}: {result.Latency.MaxNanoseconds / 1e6:F0} ms, {result.Failed} failed{cause}");
        }
    });

    private TimeSpan Move(ServerCluster cluster)
    {
        var leader = cluster.Leader();
        var next = cluster.Members.First(member => member != leader);
        using var target = new ControlClient(next.EndPoint);
        var id = target.Call<StatusResponse>(Paths.Status, new StatusRequest()).Header.MemberId;
        using var client = new ControlClient(leader.EndPoint);
        var began = _clock.Now;
        client.Call<MoveLeaderResponse>(Paths.MoveLeader, new MoveLeaderRequest { TargetID = id });
        return NanoClock.Span(_clock.Now - began);
    }

    // A second around the transfer, at a rate that any machine bears: latency counts from when a put was due.
    private LoadResult Load(ServerCluster cluster) => LoadRun.Run(
        new LoadPlan
        {
            Endpoints = cluster.EndPoints,
            Connections = cluster.Members.Count,
            Clients = _plan.Clients,
            Rate = 500,
            Total = 750,
        },
        Workloads.Put(new KeySpace(_plan.KeySize, _plan.Keys, Sequential: false), _plan.ValueSize),
        _clock);

    private void ForEachContestant(string what, Action<ServerCluster, int> measure)
    {
        for (var who = 0; who < _plan.Contestants.Count; who++)
        {
            _progress.WriteLine($"{what}, {_plan.Contestants[who].Name}");
            var directory = Path.Combine(_plan.WorkDirectory, $"{what}-{_plan.Contestants[who].Name}");
            using var cluster = new ServerCluster(_plan.Contestants[who], _plan.Members, directory, Placement.Free, _clock);
            cluster.Start();
            measure(cluster, who);
        }
    }
}
