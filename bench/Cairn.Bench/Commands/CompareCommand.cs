using System.CommandLine;
using Cairn.Bench.Compare;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Commands;

/// <summary><c>compare</c>: starts two clusters, measures both in turns, prints the ratios.</summary>
internal sealed class CompareCommand
{
    private readonly Contestants _contestants = new();
    private readonly Option<string> _measures = Options.Text("--measures", "speed,memory,restart,steadiness", "What is measured, separated by commas; saving can be asked for too.");
    private readonly Option<string> _placements = Options.Text("--placements", "free,pinned", "Where: free, pinned (server and clients on a processor each), or both.");
    private readonly Option<int> _members = Options.Size("--members", 1, "Members of each of the two clusters.");
    private readonly Option<int> _rounds = Options.Size("--rounds", 5, "Rounds of speed.");
    private readonly Option<long> _calls = Options.Number("--total", 50_000, "Calls of a round of speed.");
    private readonly Option<long> _singleCalls = Options.Number("--single-total", 10_000, "Calls of a round with one client.");
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
    private readonly Option<long> _saveMebibytes = Options.Number("--save-mib", 1_000, "MiB of values in the store that is saved.");
    private readonly Option<long> _saveRate = Options.Number("--save-rate", 500, "Puts a second while the store is saved.");
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
            self._measures, self._placements, self._members, self._rounds, self._calls, self._singleCalls, self._connections, self._clients, self._keySize, self._valueSize, self._keys,
            self._memoryPuts, self._restartKeys, self._slowRounds, self._steadyRate, self._steadySeconds, self._compactInterval, self._saveMebibytes, self._saveRate,
        };
        self._contestants.AddTo(command);
        command.SetAction(parsed => self._contestants.Run(parsed, self.Run));
        return command;
    }

    private void Run(ParseResult parsed, ContestantRun run)
    {
        var comparison = new Comparison(Plan(parsed, run), _clock, run.Board, parsed.InvocationConfiguration.Error);
        foreach (var measure in parsed.GetRequiredValue(_measures).Split(','))
        {
            Measure(comparison, measure);
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
            "saving" => comparison.Saving,
            _ => throw new ArgumentException($"{measure} is not a measure: there are speed, memory, restart, steadiness and saving"),
        };
        run();
    }

    private ComparisonPlan Plan(ParseResult parsed, ContestantRun run) => new()
    {
        Contestants = run.Contestants,
        Members = parsed.GetRequiredValue(_members),
        Placements = [.. parsed.GetRequiredValue(_placements).Split(',').Select(PlacementOf)],
        WorkDirectory = run.Directory,
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
        SaveMebibytes = parsed.GetRequiredValue(_saveMebibytes),
        SaveRate = parsed.GetRequiredValue(_saveRate),
    };

    private static Placement PlacementOf(string name) => name switch
    {
        "free" => Placement.Free,
        "pinned" when Environment.ProcessorCount >= 2 => Placement.Pinned,
        "pinned" => throw new ArgumentException("pinned needs two processors"),
        _ => throw new ArgumentException($"{name} is not a placement: there are free and pinned"),
    };
}
