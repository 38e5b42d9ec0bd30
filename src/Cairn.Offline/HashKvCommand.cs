using System.CommandLine;
using Cairn.State;
using Cairn.State.Mvcc;

namespace Cairn.Offline;

/// <summary><c>cairn hashkv FILE</c>, <c>cairn hashkv --data-dir DIR</c>: the hash of the key space that members compare.</summary>
public static class HashKvCommand
{
    // Rows between two looks at whether somebody has had enough.
    private const int RowsPerStep = 100_000;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string?>("FILE") { Description = "A snapshot, or the db of an etcd data directory that no member uses.", Arity = ArgumentArity.ZeroOrOne };
        var directory = new Option<string?>("--data-dir") { Description = "Data directory of a Cairn member that does not run." };
        var log = OfflineCommand.LogDirectory();
        var revision = new Option<long>("--rev") { Description = "Newest revision to hash; 0 for all." };
        Option<string> form = OfflineCommand.WriteOut();
        var command = new Command("hashkv", "Prints the hash of the key space, as 'etcdctl endpoint hashkv' prints it of members that run. Equal contents have equal hashes.") { file, directory, log, revision, form };
        return OfflineCommand.Bind(command, async (parsed, cancelled) =>
        {
            IReadOnlyList<ResultColumn> columns = (parsed.GetValue(file), parsed.GetValue(directory)) switch
            {
                ({ } path, null) => await OfFileAsync(path, parsed.GetValue(revision), cancelled),
                (null, { } path) => await OfStoreAsync(path, parsed.GetValue(log), parsed.GetValue(revision), cancelled),
                _ => throw new OfflineException("name either a FILE or a --data-dir"),
            };
            Console.Out.WriteLine(ResultTable.Format(columns, parsed.GetRequiredValue(form)));
            return 0;
        });
    }

    private static async Task<IReadOnlyList<ResultColumn>> OfFileAsync(string path, long revision, CancellationToken cancelled)
    {
        using var snapshot = SnapshotFile.Open(path);
        return await snapshot.ReadAsync(async image =>
        {
            var (scratch, state) = await ScratchStore.OpenAsync(path, image, cancelled);
            using (scratch)
            {
                return Columns(Hash(state, revision, cancelled));
            }
        });
    }

    private static async Task<IReadOnlyList<ResultColumn>> OfStoreAsync(string path, string? log, long revision, CancellationToken cancelled)
    {
        using var store = await LocalStore.OpenAsync(path, log);
        return Columns(Hash(store.State, revision, cancelled));
    }

    internal static KeySpaceHash Hash(StateMachine state, long revision, CancellationToken cancelled)
    {
        var view = state.View;
        if (view.OpenHash(revision, out var cursor) is var error && error != StoreError.None)
        {
            throw new OfflineException(error == StoreError.FutureRevision
                ? $"revision {revision} is above the newest one, {view.Revision}"
                : $"revision {revision} was compacted; the oldest one is {view.CompactedRevision}");
        }

        while (cursor!.Step(RowsPerStep))
        {
            cancelled.ThrowIfCancellationRequested();
        }

        return cursor.Result;
    }

    private static IReadOnlyList<ResultColumn> Columns(KeySpaceHash hash) =>
    [
        new("hash", "Hash", "hash", hash.Hash),
        new("hash revision", "Hash revision", "hashRevision", hash.Revision),
        new("compact revision", "Compact revision", "compactRevision", hash.CompactedRevision),
    ];
}
