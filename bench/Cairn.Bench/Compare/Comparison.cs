using Cairn.Bench.Load;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Compare;

/// <summary>Measures two servers with the same clients in one run. While one is measured the other is stopped.</summary>
internal sealed class Comparison
{
    private const int Single = 1;

    // Large enough that the store is filled in seconds, and small beside what a message may carry.
    private const int SavedValueBytes = 16 * 1024;

    // Clients that fill the store which is saved, and then write at a rate.
    private const int Savers = 10;

    // How long the rate goes on before it is asked again whether the save is over.
    private static readonly TimeSpan SaveSlice = TimeSpan.FromSeconds(0.5);

    private readonly ComparisonPlan _plan;
    private readonly NanoClock _clock;
    private readonly Scoreboard _board;
    private readonly TextWriter _progress;
    private int _directories;
    private int _saves;

    /// <summary>Prepares a comparison.</summary>
    /// <param name="plan">What is compared.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="board">Gets the samples.</param>
    /// <param name="progress">Gets a line for each step.</param>
    public Comparison(ComparisonPlan plan, NanoClock clock, Scoreboard board, TextWriter progress)
    {
        _plan = plan;
        _clock = clock;
        _board = board;
        _progress = progress;
    }

    private KeySpace RandomKeys => new(_plan.KeySize, _plan.Keys, Sequential: false);

    /// <summary>Throughput and latency of writes and reads, with all clients and with one.</summary>
    public void Speed() => ForEachPlacement("speed", placement =>
    {
        using var duel = Duel.Start(this, placement);
        duel.Round((server, _) => Preload(server, placement, _plan.Keys));
        for (var round = 0; round < _plan.Rounds; round++)
        {
            _progress.WriteLine($"  round {round + 1} of {_plan.Rounds}");
            duel.Round((server, who) => AddPuts(placement, who, Puts(server, placement, _plan.Calls, _plan.Clients, round)));
            duel.Round((server, who) => AddRanges(placement, who, Ranges(server, placement, _plan.Calls, _plan.Clients, round)));
            duel.Round((server, who) => AddSingle(placement, who, Puts(server, placement, _plan.SingleCalls, Single, round)));
        }
    });

    /// <summary>Memory of a fresh server after puts of new keys.</summary>
    public void Memory() => ForEachPlacement("memory", placement =>
    {
        for (var round = 0; round < _plan.SlowRounds; round++)
        {
            using var duel = Duel.Start(this, placement);
            duel.Round((server, who) =>
            {
                Preload(server, placement, _plan.MemoryPuts);
                var usages = server.ProcessIds.Select(ProcessUsage.Of).ToList();
                _board.Add(new($"resident memory after {_plan.MemoryPuts} puts", "MiB", false), placement, who, usages.Sum(static usage => usage.ResidentBytes) / 1048576.0);
                _board.Add(new("  of it anonymous", "MiB", false), placement, who, usages.Sum(static usage => usage.AnonymousBytes) / 1048576.0);
                _board.Add(new("  at its peak", "MiB", false), placement, who, usages.Sum(static usage => usage.PeakResidentBytes) / 1048576.0);
            });
        }
    });

    /// <summary>Time from start to the first answer, of a server with many keys, after it was asked to end and after it was killed.</summary>
    public void Restart() => ForEachPlacement("restart", placement =>
    {
        using var duel = Duel.Start(this, placement);
        duel.Round((server, _) => Preload(server, placement, _plan.RestartKeys));
        for (var round = 0; round < _plan.SlowRounds; round++)
        {
            duel.Round((server, who) =>
            {
                server.Stop();
                _board.Add(new($"restart with {_plan.RestartKeys} keys", "s", false), placement, who, server.Start().TotalSeconds);
            });
            duel.Round((server, who) =>
            {
                server.Kill();
                _board.Add(new($"restart with {_plan.RestartKeys} keys after kill", "s", false), placement, who, server.Start().TotalSeconds);
            });
        }
    });

    /// <summary>Latency of puts at a fixed rate, in quiet and while history is compacted again and again.</summary>
    public void Steadiness() => ForEachPlacement("steadiness", placement =>
    {
        using var duel = Duel.Start(this, placement);
        duel.Round((server, _) =>
        {
            Preload(server, placement, _plan.Keys);
            Puts(server, placement, _plan.Calls, _plan.Clients, -1);
        });
        for (var round = 0; round < _plan.SlowRounds; round++)
        {
            duel.Round((server, who) => AddSteady(placement, who, "quiet", Steady(server, placement, round)));
            duel.Round((server, who) =>
            {
                using var compactor = new Compactor(server.EndPoints[0], _plan.CompactInterval, 0, _clock);
                AddSteady(placement, who, "compacting", Steady(server, placement, round));
                _board.Add(new("  slowest compaction call", "ms", false), placement, who, compactor.Slowest.TotalMilliseconds);
            });
        }
    });

    /// <summary>Latency of puts at a fixed rate, in quiet and while etcdctl saves the store to the same disk.</summary>
    public void Saving() => ForEachPlacement("saving", placement =>
    {
        using var duel = Duel.Start(this, placement);
        duel.Round((server, _) =>
        {
            var keys = new KeySpace(_plan.KeySize, _plan.SaveMebibytes * 1048576 / SavedValueBytes, Sequential: true);
            Checked(LoadRun.Run(Load(server, placement, keys.Keys, Savers), Workloads.Put(keys, SavedValueBytes), _clock));
        });
        for (var round = 0; round < _plan.SlowRounds; round++)
        {
            duel.Round((server, who) =>
            {
                AddAtRate(placement, who, _plan.SaveRate, "quiet", AtSaveRate(server, placement, TimeSpan.FromSeconds(_plan.SteadySeconds)).Latency);

                // Kept until the end: a gigabyte that is deleted makes some disks stand still, and that would be the next one's.
                using var save = SnapshotSave.Start(server.EndPoints[0], Path.Combine(_plan.WorkDirectory, $"saved-{_saves++}.db"), _clock);
                var latency = new LatencyHistogram();
                while (save.IsRunning)
                {
                    latency.Add(AtSaveRate(server, placement, SaveSlice).Latency);
                }

                AddAtRate(placement, who, _plan.SaveRate, "saving", latency);
                _board.Add(new("  save", "MB/s", true), placement, who, save.FinishedMegabytesPerSecond());
            });
        }
    });

    private void ForEachPlacement(string what, Action<Placement> measure)
    {
        foreach (var placement in _plan.Placements)
        {
            _progress.WriteLine($"{what}, {placement.Name}");
            measure(placement);
        }
    }

    private LoadPlan Load(ServerCluster server, Placement placement, long calls, int clients) => new()
    {
        Endpoints = clients == Single ? [server.Leader().EndPoint] : server.EndPoints,
        Connections = Math.Min(_plan.Connections, clients),
        Clients = clients,
        Total = calls,
        Processor = placement.ClientProcessor,
        ServerProcesses = server.ProcessIds,
    };

    private void Preload(ServerCluster server, Placement placement, long keys)
    {
        var all = new KeySpace(_plan.KeySize, keys, Sequential: true);
        Checked(LoadRun.Run(Load(server, placement, keys, _plan.Clients), Workloads.Put(all, _plan.ValueSize), _clock));
    }

    private LoadResult Puts(ServerCluster server, Placement placement, long calls, int clients, int round)
    {
        var plan = Load(server, placement, calls, clients) with { FirstSequence = (round + 2) * calls };
        return Checked(LoadRun.Run(plan, Workloads.Put(RandomKeys, _plan.ValueSize), _clock));
    }

    private LoadResult Ranges(ServerCluster server, Placement placement, long calls, int clients, int round)
    {
        var plan = Load(server, placement, calls, clients) with { FirstSequence = (round + 2) * calls };
        return Checked(LoadRun.Run(plan, Workloads.Get(RandomKeys, serializable: false), _clock));
    }

    private LoadResult Steady(ServerCluster server, Placement placement, int round)
    {
        var calls = _plan.SteadyRate * _plan.SteadySeconds;
        var plan = Load(server, placement, calls, _plan.Clients) with { Rate = _plan.SteadyRate, FirstSequence = (round + 2) * calls };
        return Checked(LoadRun.Run(plan, Workloads.Put(RandomKeys, _plan.ValueSize), _clock));
    }

    private LoadResult AtSaveRate(ServerCluster server, Placement placement, TimeSpan duration)
    {
        var plan = Load(server, placement, long.MaxValue, Savers) with { Rate = _plan.SaveRate, Duration = duration };
        return Checked(LoadRun.Run(plan, Workloads.Put(RandomKeys, _plan.ValueSize), _clock));
    }

    private void AddPuts(Placement placement, int who, LoadResult result)
    {
        _board.Add(new("put", "calls/s", true), placement, who, result.Throughput);
        _board.Add(new("  p50", "ms", false), placement, who, result.Latency.Percentile(0.5) / 1e6);
        _board.Add(new("  p99", "ms", false), placement, who, result.Latency.Percentile(0.99) / 1e6);
        _board.Add(new("  server CPU a put", "us", false), placement, who, result.ServerMicrosecondsPerCall);
        _board.Add(new("  client CPU a put", "us", false), placement, who, result.ClientMicrosecondsPerCall);
    }

    private void AddRanges(Placement placement, int who, LoadResult result)
    {
        _board.Add(new("linearizable range", "calls/s", true), placement, who, result.Throughput);
        _board.Add(new("  range p50", "ms", false), placement, who, result.Latency.Percentile(0.5) / 1e6);
        _board.Add(new("  range p99", "ms", false), placement, who, result.Latency.Percentile(0.99) / 1e6);
        _board.Add(new("  server CPU a range", "us", false), placement, who, result.ServerMicrosecondsPerCall);
        _board.Add(new("  client CPU a range", "us", false), placement, who, result.ClientMicrosecondsPerCall);
    }

    private void AddSingle(Placement placement, int who, LoadResult result)
    {
        _board.Add(new("put, one client, p50", "ms", false), placement, who, result.Latency.Percentile(0.5) / 1e6);
        _board.Add(new("put, one client, p99", "ms", false), placement, who, result.Latency.Percentile(0.99) / 1e6);
    }

    private void AddSteady(Placement placement, int who, string state, LoadResult result) => AddAtRate(placement, who, _plan.SteadyRate, state, result.Latency);

    private void AddAtRate(Placement placement, int who, long rate, string state, LatencyHistogram latency)
    {
        _board.Add(new($"put at {rate}/s, {state}, p50", "ms", false), placement, who, latency.Percentile(0.5) / 1e6);
        _board.Add(new($"put at {rate}/s, {state}, p99", "ms", false), placement, who, latency.Percentile(0.99) / 1e6);
        _board.Add(new($"put at {rate}/s, {state}, slowest", "ms", false), placement, who, latency.MaxNanoseconds / 1e6);
    }

    private static LoadResult Checked(LoadResult result) => result.Failed == 0
        ? result
        : throw new IOException($"{result.Failed} calls failed, such as: {result.Failures.Keys.First()}");

    /// <summary>Both servers on fresh data directories, of which one runs at a time.</summary>
    private sealed class Duel : IDisposable
    {
        private readonly List<ServerCluster> _servers = [];
        private readonly List<string> _directories = [];

        public static Duel Start(Comparison comparison, Placement placement)
        {
            var duel = new Duel();
            try
            {
                foreach (var contestant in comparison._plan.Contestants)
                {
                    var directory = Path.Combine(comparison._plan.WorkDirectory, $"{contestant.Name}-{comparison._directories++}");
                    duel._directories.Add(directory);
                    var server = new ServerCluster(contestant, comparison._plan.Members, directory, placement, comparison._clock);
                    duel._servers.Add(server);
                    server.Start();
                    server.Pause();
                }

                return duel;
            }
            catch (Exception)
            {
                duel.Dispose();
                throw;
            }
        }

        public void Round(Action<ServerCluster, int> measure)
        {
            for (var who = 0; who < _servers.Count; who++)
            {
                _servers[who].Continue();
                measure(_servers[who], who);
                _servers[who].Pause();
            }
        }

        public void Dispose()
        {
            _servers.ForEach(static server => server.Dispose());
            foreach (var directory in _directories.Where(Directory.Exists))
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }
}
