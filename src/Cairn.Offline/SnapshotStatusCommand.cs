using System.CommandLine;

namespace Cairn.Offline;

/// <summary><c>cairn snapshot status FILE</c>: whether a snapshot is whole, and what is in it.</summary>
public static class SnapshotStatusCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "A snapshot, or the db of a data directory that no member uses." };
        Option<string> form = OfflineCommand.WriteOut();
        var command = new Command("status", "Verifies a snapshot, etcd's or Cairn's, checksum and every page, and prints hash, revision, keys, size and version.") { file, form };
        return OfflineCommand.Bind(command, async (parsed, cancelled) =>
        {
            using SnapshotFile snapshot = SnapshotFile.Open(parsed.GetRequiredValue(file));
            Console.Out.WriteLine(ResultTable.Format(Columns(await ReadAsync(snapshot, cancelled)), parsed.GetRequiredValue(form)));
            return 0;
        });
    }

    internal static Task<SnapshotSummary> ReadAsync(SnapshotFile snapshot, CancellationToken cancelled)
    {
        if (snapshot.HasChecksum)
        {
            snapshot.VerifyChecksum(new Progress("verifying the checksum", snapshot.ImageLength, Console.Error), cancelled);
        }

        return snapshot.ReadAsync(image =>
        {
            snapshot.VerifyStructure(image);
            return Task.FromResult(SnapshotSummary.Of(snapshot.Path, image, new Progress("reading", image.ImageLength, Console.Error), cancelled));
        });
    }

    private static IReadOnlyList<ResultColumn> Columns(SnapshotSummary summary) =>
    [
        new("hash", "Hash", "hash", summary.Hash, summary.Hash.ToString("x", System.Globalization.CultureInfo.InvariantCulture)),
        new("revision", "Revision", "revision", summary.Revision),
        new("total keys", "Keys", "totalKey", summary.LiveKeys),
        new("total size", "Size", "totalSize", summary.Bytes, ResultTable.Size(summary.Bytes)),
        new("version", "Version", "version", summary.Version),
    ];
}
