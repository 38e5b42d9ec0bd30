using System.CommandLine;
using Cairn.Bench.Compare;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Commands;

/// <summary><c>compare</c>: starts two servers, measures both in turns, prints the ratios.</summary>
internal sealed class CompareCommand
{
    private readonly Option<string> _etcd = Options.Text("--etcd", "etcd", "The yardstick: path of etcd.");
    private readonly Option<string> _cairn = Options.Text("--cairn", "out/cairn", "Path of Cairn.");
    private readonly Option<string> _etcdArguments = Options.Text("--etcd-args", "", "Further flags of etcd, separated by blanks.");
    private readonly Option<string> _cairnArguments = Options.Text("--cairn-args", "", "Further flags of Cairn, separated by blanks.");
    private readonly Option<string> _measures = Options.Text("--measures", "speed,memory,restart,steadiness", "What is measured, separated by commas.");
    private readonly Option<string> _placements = Options.Text("--placements", "free,pinned", "Where: free, pinned (server and clients on a processor each), or both.");
    private readonly Option<string> _workDirectory = Options.Text("--work-dir", Path.GetTempPath(), "Where the data directories are; the disk matters.");
    private readonly Option<string> _json = Options.Text("--json", "", "A file that gets all samples as JSON.");
    private readonly Option<int> _rounds = Options.Size("--rounds", 5, "Rounds of speed.");
    private readonly Option<long> _calls = Options.Number("--total", 50_000, "Calls of a round of speed.");
    private readonly Option<long> _singleCalls = Options.Number("--single-total", 3_000, "Calls of a round with one client.");
    private readonly Option<int> _connections = Options.Size("--conns", 10, "Connections.");
    private readonly Option<int> _clients = Options.Size("--clients", 100, "Clients.");
    private readonly Option<int> _keySize = Options.Size("--key-size", 16, "Bytes of a key.");
    private readonly Option<int> _valueSize = Options.Size("--val-size", 256, "Bytes of a value.");
    private readonly Option<long> _keys = Options.Number("--key-space-size", 100_000, "Number of different keys, in speed and steadiness.");
    private readonly Option<long> _memoryPuts = Options.Number("--memory-puts", 200_000, "Puts before memory is measured.");
    private readonly Option<long> _restartKeys = Options.Number("--restart-keys", 1_000_000, "Keys of a restart.");
    private readonly Option<int> _slowRounds = Options.Size("--slow-rounds", 3, "Rounds of memory, restart and steadiness.");
    private readonly Option<long> _steadyRate = Options.Number("--steady-rate", 5_000, "Puts a second of steadiness.");
    private readonly Option<int> _steadySeconds = Options.Size("--steady-seconds", 20, "Seconds of a round of steadiness.");
    private readonly Option<TimeSpan> _compactInterval = Options.Time("--compact-interval", "Time between compactions in steadiness; by default 3 s.");
    private readonly NanoClock _clock;

    private CompareCommand(NanoClock clock) => _clock = clock;

    /// <summary>Builds the command.</summary>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command Build(NanoClock clock)
    {
        var self = new CompareCommand(clock);
        var command = new Command("compare", "Starts etcd and Cairn, measures both in turns with the same clients, and prints the ratios.")
        {
            self._etcd, self._cairn, self._etcdArguments, self._cairnArguments, self._measures, self._placements, self._workDirectory, self._json,
            self._rounds, self._calls, self._singleCalls, self._connections, self._clients, self._keySize, self._valueSize, self._keys,
            self._memoryPuts, self._restartKeys, self._slowRounds, self._steadyRate, self._steadySeconds, self._compactInterval,
        };
        command.SetAction(self.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        var directory = Directory.CreateDirectory(Path.Combine(parsed.GetRequiredValue(_workDirectory), $"cairn-bench-{Environment.ProcessId}"));
        try
        {
            var output = parsed.InvocationConfiguration.Output;
            var plan = Plan(parsed, directory.FullName);
            var board = new Scoreboard([.. plan.Contestants.Select(static contestant => contestant.Name)]);
            var comparison = new Comparison(plan, _clock, board, parsed.InvocationConfiguration.Error);
            foreach (var measure in parsed.GetRequiredValue(_measures).Split(','))
            {
                Measure(comparison, measure);
            }

            board.Print(output);
            if (parsed.GetRequiredValue(_json) is { Length: > 0 } path)
            {
                board.WriteJson(path);
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static void Measure(Comparison comparison, string measure)
    {
        Action run = measure switch
        {
            "speed" => comparison.Speed,
            "memory" => comparison.Memory,
            "restart" => comparison.Restart,
            "steadiness" => comparison.Steadiness,
            _ => throw new ArgumentException($"{measure} is not a measure: there are speed, memory, restart and steadiness"),
        };
        run();
    }

    private ComparisonPlan Plan(ParseResult parsed, string directory) => new()
    {
        Contestants =
        [
            new Contestant("etcd", parsed.GetRequiredValue(_etcd), Words(parsed.GetRequiredValue(_etcdArguments))),
            new Contestant("cairn", parsed.GetRequiredValue(_cairn), Words(parsed.GetRequiredValue(_cairnArguments))),
        ],
        Placements = [.. parsed.GetRequiredValue(_placements).Split(',').Select(PlacementOf)],
        WorkDirectory = directory,
        Rounds = parsed.GetRequiredValue(_rounds),
        Calls = parsed.GetRequiredValue(_calls),
        SingleCalls = parsed.GetRequiredValue(_singleCalls),
        Connections = parsed.GetRequiredValue(_connections),
        Clients = parsed.GetRequiredValue(_clients),
        KeySize = parsed.GetRequiredValue(_keySize),
        ValueSize = parsed.GetRequiredValue(_valueSize),
        Keys = parsed.GetRequiredValue(_keys),
        MemoryPuts = parsed.GetRequiredValue(_memoryPuts),
        RestartKeys = parsed.GetRequiredValue(_restartKeys),
        SlowRounds = parsed.GetRequiredValue(_slowRounds),
        SteadyRate = parsed.GetRequiredValue(_steadyRate),
        SteadySeconds = parsed.GetRequiredValue(_steadySeconds),
        CompactInterval = parsed.GetValue(_compactInterval) is { Ticks: > 0 } interval ? interval : TimeSpan.FromSeconds(3),
    };

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static Placement PlacementOf(string name) => name switch
    {
        "free" => Placement.Free,
        "pinned" when Environment.ProcessorCount >= 2 => Placement.Pinned,
        "pinned" => throw new ArgumentException("pinned needs two processors"),
        _ => throw new ArgumentException($"{name} is not a placement: there are free and pinned"),
    };
}
