using Cairn.Raft;
using Cairn.State;
using Cairn.State.Members;
using Cairn.State.Persistence;

namespace Cairn.Server.Healing;

/// <summary>Applies entries to a state that no node runs, before it becomes another one.</summary>
internal static class LogReplay
{
    /// <summary>Applies.</summary>
    /// <param name="stored">The state.</param>
    /// <param name="entries">The entries behind it.</param>
    /// <param name="committed">Up to where they are known to be committed: changes of members behind it may not have been made, and are passed over, but for addresses, which prove nothing.</param>
    /// <returns>The state then; its rows are durable.</returns>
    /// <exception cref="Storage.CorruptionException">A row that an entry needs is damaged.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static async Task<StateCapture> RunAsync(StoredState stored, IReadOnlyList<Entry> entries, ulong committed)
    {
        foreach (var entry in entries)
        {
            stored.State.Apply(AsCommitted(entry, committed));
            stored.State.Publish();
            if (stored.Log.TailRoomBytes <= 0)
            {
                await stored.Log.FlushAsync();
            }
        }

        var capture = stored.State.Capture();
        await stored.Log.SyncAsync(capture.Log);
        return capture;
    }

    private static CommittedEntry AsCommitted(in Entry entry, ulong committed) => (entry.Type, entry.Index <= committed) switch
    {
        (EntryType.ConfChange, var isMade) when isMade || MemberChange.Parse(entry.Data.Span) is { Kind: MemberChangeKind.Update } => new CommittedEntry(entry.Term, entry.Index, EntryKind.ConfChange, entry.Data),
        (EntryType.Normal, _) => new CommittedEntry(entry.Term, entry.Index, EntryKind.Normal, entry.Data),
        _ => new CommittedEntry(entry.Term, entry.Index, EntryKind.Normal, default),
    };
}
