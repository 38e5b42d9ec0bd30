using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Transfer;

/// <summary>What makes a newer state out of an older one of the same history: received from another member, its rows in segments beside those of this one.</summary>
/// <remarks>
/// <para>Example. The receiver is at revision 50; the sender is at 90 and has compacted at 70:</para>
/// <code>
///   receiver   a: 3p 20p    b: 7p      c: 50p
///   sender     a: 20p       c: 85p                       b was deleted at 60, which the compaction made forget
///   delta      base 50, kept {20}, rows {85p}            what is not kept goes: b, and the older versions of a and c
/// </code>
/// <para>Without a compaction beyond the base no row of it is in doubt, and there is no list of kept ones.</para>
/// </remarks>
public sealed record StateDelta
{
    /// <summary>The last entry that is in the newer state.</summary>
    public required AppliedPosition Applied { get; init; }

    /// <summary>Everything but the rows, as <see cref="StateCapture.SmallState"/> has it.</summary>
    public required ReadOnlyMemory<byte> SmallState { get; init; }

    /// <summary>The rows are those above this revision; the receiver may have come further meanwhile.</summary>
    public required long BaseRevision { get; init; }

    /// <summary>The rows up to the base that are still needed, ascending; null if compaction did not go beyond the base, so that the receiver knows itself.</summary>
    public required IReadOnlyList<Revision>? Kept { get; init; }

    /// <summary>Whether the receiver forgets all that it has.</summary>
    public required bool IsWhole { get; init; }

    /// <summary>The rows: durable, their files closed, in numbers that the receiver's log set aside.</summary>
    public required RevisionLogEnds Segments { get; init; }

    /// <summary>Reads of which state a small state is.</summary>
    /// <param name="smallState">The bytes.</param>
    /// <param name="applied">The last entry that is in it.</param>
    /// <param name="revision">Revision of the store.</param>
    /// <returns>False if these bytes are no small state that this version understands.</returns>
    public static bool TryDescribe(ReadOnlySpan<byte> smallState, out AppliedPosition applied, out long revision)
    {
        var isSound = Persistence.SmallState.TryDecode(smallState, out var state);
        (applied, revision) = isSound ? (state!.Applied, state.Revision) : default; // A sound one is not null.
        return isSound;
    }

    /// <summary>Whether a payload is that of a row.</summary>
    /// <param name="payload">The bytes.</param>
    /// <returns>True if it can be installed.</returns>
    public static bool IsRow(ReadOnlySpan<byte> payload) => RowCodec.TryDecode(payload, out _, out var key, out _) && !key.IsEmpty;

    /// <summary>Whether a state has every row that is to be kept, as the newest of a key that exists. If not, it is of another history.</summary>
    /// <param name="view">The receiver's state, at the base.</param>
    /// <param name="kept">The rows, ascending.</param>
    /// <returns>True if nothing is missing.</returns>
    public static bool IsIn(ReadView view, IReadOnlyList<Revision> kept)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(kept);
        var own = new List<Revision>();
        var cursor = new IndexCursor(view.Keys.Root, default, default);
        while (cursor.MoveNext())
        {
            if (cursor.Current.TryGetAt(view.Revision, out var version))
            {
                own.Add(version.Revision);
            }
        }

        own.Sort();
        var at = 0;
        foreach (var revision in own)
        {
            at += at < kept.Count && kept[at] == revision ? 1 : 0;
        }

        return at == kept.Count;
    }
}
