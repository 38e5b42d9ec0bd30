using System.CommandLine;
using Cairn.Bench.Compare;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Commands;

/// <summary><c>failover</c>: how long clusters take no writes when the leader dies or hands over.</summary>
internal sealed class FailoverCommand
{
    private readonly Contestants _contestants = new();
    private readonly Option<int> _members = Options.Size("--members", 3, "Members of each of the two clusters.");
    private readonly Option<int> _rounds = Options.Size("--rounds", 30, "Kills, and transfers.");
    private readonly Option<string> _measures = Options.Text("--measures", "kills,transfers", "What is measured, separated by commas.");
    private readonly NanoClock _clock;

    private FailoverCommand(NanoClock clock) => _clock = clock;

    /// <summary>Builds the command.</summary>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command Build(NanoClock clock)
    {
        var self = new FailoverCommand(clock);
        var command = new Command("failover", "Kills leaders of an etcd and of a Cairn cluster, asks them to hand over, and prints how long no write was taken.")
        {
            self._members, self._rounds, self._measures,
        };
        self._contestants.AddTo(command);
        command.SetAction(parsed => self._contestants.Run(parsed, self.Run));
        return command;
    }

    private void Run(ParseResult parsed, ContestantRun run)
    {
        var plan = new ComparisonPlan
        {
            Contestants = run.Contestants,
            WorkDirectory = run.Directory,
            Members = parsed.GetRequiredValue(_members),
            Rounds = parsed.GetRequiredValue(_rounds),
            Placements = [Placement.Free],
            Clients = 30,
            Connections = 3,
            KeySize = 16,
            ValueSize = 256,
            Keys = 1000,
        };
        var failover = new Failover(plan, _clock, run.Board, parsed.InvocationConfiguration.Error);
        foreach (var measure in parsed.GetRequiredValue(_measures).Split(','))
        {
            Action act = measure switch
            {
                "kills" => failover.Kills,
                "transfers" => failover.Transfers,
                _ => throw new ArgumentException($"{measure} is not a measure: there are kills and transfers"),
            };
            act();
        }
    }
}
