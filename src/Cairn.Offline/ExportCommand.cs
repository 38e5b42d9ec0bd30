using System.CommandLine;
using System.Globalization;

namespace Cairn.Offline;

/// <summary><c>cairn export --data-dir DIR --to DIR</c>: the way back to etcd.</summary>
public static class ExportCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var from = new Option<string>("--data-dir") { Description = "Data directory of a Cairn member that does not run. Nothing in it changes.", Required = true };
        var log = OfflineCommand.LogDirectory();
        var to = new Option<string>("--to") { Description = "Where to; must be empty, or not be there.", Required = true };
        var logTo = new Option<string?>("--to-wal-dir") { Description = "Where the log goes, for an etcd that has --wal-dir; must be empty, or not be there." };
        var command = new Command(
            "export", "Writes a data directory from which etcd 3.5 or 3.6 goes on as this member: the same ids, members, revisions, leases, users, alarms. Never start both.") { from, log, to, logTo };
        return OfflineCommand.Bind(command, async (parsed, cancelled) =>
        {
            using var store = await LocalStore.OpenAsync(parsed.GetRequiredValue(from), parsed.GetValue(log));
            var target = parsed.GetRequiredValue(to);
            var bytes = await new EtcdExport(store).RunAsync(target, parsed.GetValue(logTo), cancelled);
            var (index, term) = store.State.Applied;
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"Exported to {target}: index {index} of term {term}, revision {store.State.View.Revision}, backend of {ResultTable.Size(bytes)}"));
            return 0;
        });
    }
}
