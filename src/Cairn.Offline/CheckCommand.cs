using System.CommandLine;

namespace Cairn.Offline;

/// <summary><c>cairn check --data-dir DIR</c>: whether the files of a member are what they were when they were written.</summary>
public static class CheckCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var directory = new Option<string?>("--data-dir") { Description = "Data directory, Cairn's or etcd's, of a member that does not run. Nothing in it changes." };
        var log = OfflineCommand.LogDirectory();
        var replays = new Option<bool>("--replay") { Description = "Also apply the log from its first entry on, if it reaches back so far, and compare each row." };
        var command = new Command("check", "Verifies every record, every reference between them and every invariant of the state. Exit status 1 if something is wrong.")
        {
            directory,
            log,
            replays,
            DiskCheckCommand.Build(),
        };
        return OfflineCommand.Bind(command, async (parsed, cancelled) =>
        {
            var report = new CheckReport(Console.Out);
            await new StoreCheck(report, parsed.GetValue(replays)).RunAsync(
                parsed.GetValue(directory) ?? throw new OfflineException("name a --data-dir"), parsed.GetValue(log), cancelled);
            Console.Out.WriteLine(report.Findings == 0 ? "all is sound" : $"{report.Findings} findings");
            return report.Findings == 0 ? 0 : 1;
        });
    }
}
