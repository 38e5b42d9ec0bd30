using System.CommandLine;
using Cairn.Bench.Compare;

namespace Cairn.Bench.Commands;

/// <summary>What a run with two contestants works with.</summary>
/// <param name="Contestants">The two programs: the yardstick first.</param>
/// <param name="Directory">A directory that is deleted after the run.</param>
/// <param name="Board">Gets the samples.</param>
internal sealed record ContestantRun(IReadOnlyList<Contestant> Contestants, string Directory, Scoreboard Board);

/// <summary>The options that all commands with two contestants share.</summary>
internal sealed class Contestants
{
    private readonly Option<string> _etcd = Options.Text("--etcd", "etcd", "The yardstick: path of etcd.");
    private readonly Option<string> _cairn = Options.Text("--cairn", "out/cairn", "Path of Cairn.");
    private readonly Option<string> _etcdArguments = Options.Text("--etcd-args", "", "Further flags of etcd, separated by blanks.");
    private readonly Option<string> _cairnArguments = Options.Text("--cairn-args", "", "Further flags of Cairn, separated by blanks.");
    private readonly Option<string> _workDirectory = Options.Text("--work-dir", Path.GetTempPath(), "Where the data directories are; the disk matters.");
    private readonly Option<string> _json = Options.Text("--json", "", "A file that gets all samples as JSON.");

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    public void AddTo(Command command)
    {
        command.Options.Add(_etcd);
        command.Options.Add(_cairn);
        command.Options.Add(_etcdArguments);
        command.Options.Add(_cairnArguments);
        command.Options.Add(_workDirectory);
        command.Options.Add(_json);
    }

    /// <summary>Prepares a run, carries it out, prints what it measured and cleans up.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="run">The run.</param>
    public void Run(ParseResult parsed, Action<ParseResult, ContestantRun> run)
    {
        var directory = Directory.CreateDirectory(Path.Combine(parsed.GetRequiredValue(_workDirectory), $"cairn-bench-{Environment.ProcessId}"));
        try
        {
            Contestant[] contestants =
            [
                new Contestant("etcd", parsed.GetRequiredValue(_etcd), Words(parsed.GetRequiredValue(_etcdArguments))),
                new Contestant("cairn", parsed.GetRequiredValue(_cairn), Words(parsed.GetRequiredValue(_cairnArguments))),
            ];
            var board = new Scoreboard([.. contestants.Select(static contestant => contestant.Name)]);
            run(parsed, new ContestantRun(contestants, directory.FullName, board));
            board.Print(parsed.InvocationConfiguration.Output);
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

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
