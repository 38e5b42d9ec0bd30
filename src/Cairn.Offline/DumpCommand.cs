using System.CommandLine;
using System.Globalization;
using System.Text;
using Cairn.Raft;
using Cairn.State.Entries;
using Cairn.State.Members;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary><c>cairn dump wal|store --data-dir DIR</c>: what is in a member's files, a line each, for people who look for something.</summary>
public static class DumpCommand
{
    // Of keys and of what is no text, so much is shown that one can tell them apart.
    private const int ShownBytesMax = 80;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build() => new("dump", "Prints what is in the files of a member that does not run, a line each. Nothing changes.")
    {
        Make("wal", "Prints the log, Cairn's or etcd's: metadata, state, marks of snapshots, entries.", DumpLog),
        Make("store", "Prints manifests, segments and all rows of a Cairn member.", DumpStoreAsync),
    };

    private static Command Make(string name, string description, Func<ReadOnlyDisk, TextWriter, CancellationToken, Task> dump)
    {
        var directory = new Option<string>("--data-dir") { Description = "The data directory.", Required = true };
        var log = OfflineCommand.LogDirectory();
        return OfflineCommand.Bind(new Command(name, description) { directory, log }, async (parsed, cancelled) =>
        {
            using var disk = LocalStore.OpenDisk(parsed.GetRequiredValue(directory), parsed.GetValue(log));
            await dump(new ReadOnlyDisk(disk), Console.Out, cancelled);
            return 0;
        });
    }

    private static Task DumpLog(ReadOnlyDisk disk, TextWriter output, CancellationToken cancelled)
    {
        var log = WriteAheadLog.Inspect(disk, LocalStore.Wal, static _ => true);
        Write(output, $"member {log.Metadata.MemberId:x}, cluster {log.Metadata.ClusterId:x}");
        Write(output, $"term {log.State.Term}, vote {log.State.Vote:x}, commit {log.State.Commit}");
        foreach (var mark in log.Marks)
        {
            Write(output, $"snapshot at {mark.Index} of term {mark.Term}");
        }

        foreach (var entry in log.Entries)
        {
            cancelled.ThrowIfCancellationRequested();
            Write(output, $"{entry.Term}/{entry.Index} {Describe(entry)}");
        }

        return Task.CompletedTask;
    }

    private static string Describe(Entry entry) => entry.Type switch
    {
        EntryType.Normal => entry.Data.IsEmpty ? "no-op of a new leader" : EntryText.Of(entry.Data),
        EntryType.ConfChange => MemberChange.Parse(entry.Data.Span) is { } change
            ? $"{change.Kind} member {change.MemberId:x} {string.Join(' ', change.Member?.PeerUrls ?? [])}".TrimEnd()
            : $"membership change that is none: {Show(entry.Data.Span)}",
        _ => $"{entry.Type} {Show(entry.Data.Span)}",
    };

    private static async Task DumpStoreAsync(ReadOnlyDisk disk, TextWriter output, CancellationToken cancelled)
    {
        var manifests = await ManifestStore.OpenAsync(disk, LocalStore.Store);
        foreach (var manifest in new[] { manifests.Previous, manifests.Newest }.OfType<ManifestContents>())
        {
            Write(output, $"manifest {manifest.Number}: index {manifest.AppliedIndex}, term {manifest.AppliedTerm}, revision {manifest.CurrentRevision}, compacted {manifest.Compaction.Scheduled}");
            foreach (var segment in manifest.Segments.Segments)
            {
                Write(output, $"  segment {segment.Id}: {segment.End} bytes, {segment.LiveBytes} live, revisions {segment.Revisions.FirstMain} to {segment.Revisions.LastMain}");
            }
        }

        using var log = RevisionLog.Open(disk, LocalStore.Store, manifests.Newest?.Segments ?? RevisionLogEnds.Empty, new RevisionLogOptions());
        for (var row = log.View.ReadFrom(new Revision(0, 0), long.MaxValue); row.MoveNext();)
        {
            cancelled.ThrowIfCancellationRequested();
            Write(output, $"{row.Revision.Main}.{row.Revision.Sub} {row.Kind} segment {row.Place.Segment} at {row.Place.Offset}: {Show(EntryText.KeyOfRow(row.Payload))}, {row.Payload.Length} bytes");
        }
    }

    private static void Write(TextWriter output, FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static string Show(ReadOnlySpan<byte> bytes)
    {
        var isText = bytes.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7e) < 0;
        var shown = bytes[..Math.Min(bytes.Length, ShownBytesMax)];
        return (isText ? Encoding.ASCII.GetString(shown) : Convert.ToHexString(shown)) + (shown.Length < bytes.Length ? "…" : "");
    }
}
