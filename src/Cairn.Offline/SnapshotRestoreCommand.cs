using System.CommandLine;
using System.Globalization;

namespace Cairn.Offline;

/// <summary><c>cairn snapshot restore FILE --data-dir DIR</c>: the data directory of a member of a new cluster.</summary>
public static class SnapshotRestoreCommand
{
    // Clients that saw revisions of the lost cluster must not see them again with other contents. No cluster writes so many between a backup and its loss.
    private const long SkippedByDefault = 1_000_000_000;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var options = new RestoreOptions();
        var command = new Command(
            "restore",
            "Restores a snapshot, etcd's or Cairn's, to the data directory of a member of a new cluster. Unless told otherwise the revision is raised by 10^9 and all before "
            + "is marked compacted, so that watchers and caches of the lost cluster notice, and read anew.");
        options.AddTo(command);
        return OfflineCommand.Bind(command, (parsed, cancelled) => RunAsync(options, parsed, cancelled));
    }

    private static async Task<int> RunAsync(RestoreOptions options, ParseResult parsed, CancellationToken cancelled)
    {
        var name = parsed.GetRequiredValue(options.Name);
        var dataDirectory = parsed.GetValue(options.DataDirectory) ?? $"{name}.etcd";
        var log = parsed.GetValue(options.LogDirectory);
        var skipped = Skipped(parsed.GetValue(options.BumpRevision), parsed.GetValue(options.MarkCompacted), parsed.GetValue(options.KeepRevision));
        var plan = RestorePlan.Of(
            name, parsed.GetRequiredValue(options.PeerUrls), parsed.GetRequiredValue(options.Cluster), parsed.GetRequiredValue(options.Token));
        using var snapshot = SnapshotFile.Open(parsed.GetRequiredValue(options.File));
        if (!parsed.GetValue(options.SkipHashCheck))
        {
            snapshot.VerifyChecksum(new Progress("verifying the checksum", snapshot.ImageLength, Console.Error), cancelled);
        }

        var state = await snapshot.ReadAsync(async image =>
        {
            snapshot.VerifyStructure(image);
            return await new SnapshotRestore(plan, skipped).RunAsync(snapshot.Path, image, dataDirectory, log, cancelled);
        });
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Restored {snapshot.Path} to {dataDirectory}: revision {state.Revision}, {state.Rows} rows, {ResultTable.Size(state.RowBytes)}; member {plan.MemberId:x}, cluster {plan.ClusterId:x}"));
        return 0;
    }

    private static long Skipped(long? bump, bool? markCompacted, bool keeps)
    {
        if (keeps || bump == 0)
        {
            return bump is > 0 || markCompacted == true
                ? throw new OfflineException("--keep-revision, or a --bump-revision of 0, leaves the revision as it was: it goes neither with --bump-revision nor with --mark-compacted")
                : 0;
        }

        return bump < 0 ? throw new OfflineException($"--bump-revision {bump}: a revision never goes back")
            : markCompacted == false ? throw new OfflineException("--mark-compacted is required if the revision is raised; to leave it as it was, say --keep-revision")
            : bump ?? SkippedByDefault;
    }

    /// <summary>The options; names and defaults are etcdutl's where it has them.</summary>
    private sealed class RestoreOptions
    {
        public Argument<string> File { get; } = new("FILE") { Description = "A snapshot of etcd or Cairn." };

        public Option<string?> DataDirectory { get; } = new("--data-dir") { Description = "Where to; must be empty, or not be there. [default: NAME.etcd]" };

        public Option<string?> LogDirectory { get; } = new("--wal-dir") { Description = "Where the log goes, for a server that has --wal-dir; must be empty, or not be there." };

        public Option<string> Cluster { get; } = Text("--initial-cluster", "default=http://localhost:2380", "All members, as NAME=PEER-URL pairs.");

        public Option<string> Token { get; } = Text("--initial-cluster-token", "etcd-cluster", "Token of the new cluster; the ids follow from it.");

        public Option<string> PeerUrls { get; } = Text("--initial-advertise-peer-urls", "http://localhost:2380", "Peer URLs of this member.");

        public Option<string> Name { get; } = Text("--name", "default", "Name of this member.");

        public Option<bool> SkipHashCheck { get; } = new("--skip-hash-check") { Description = "Take a file without a checksum: one that was copied from a data directory." };

        public Option<long?> BumpRevision { get; } = new("--bump-revision") { Description = "By how much the revision is raised. [default: 1000000000]" };

        public Option<bool?> MarkCompacted { get; } = new("--mark-compacted") { Description = "Mark all before as compacted. [default: true, unless the revision is kept]" };

        public Option<bool> KeepRevision { get; } = new("--keep-revision") { Description = "Leave the revision as it was. Watchers that saw later ones go deaf, in silence." };

        public Option<ulong?> MapSize { get; } = new("--initial-memory-map-size") { Description = "Accepted for etcdutl's sake; nothing is mapped.", Hidden = true };

        public void AddTo(Command command)
        {
            command.Arguments.Add(File);
            foreach (Option option in (Option[])[DataDirectory, LogDirectory, Cluster, Token, PeerUrls, Name, SkipHashCheck, BumpRevision, MarkCompacted, KeepRevision, MapSize])
            {
                command.Options.Add(option);
            }
        }

        private static Option<string> Text(string name, string value, string description) => new(name) { Description = description, DefaultValueFactory = _ => value };
    }
}
