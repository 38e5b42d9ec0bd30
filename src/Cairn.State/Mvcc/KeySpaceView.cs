using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>The key space at one revision, for reading.</summary>
/// <param name="Root">The index; histories in it may hold newer versions, which the revision hides.</param>
/// <param name="Revision">The newest revision that is seen.</param>
/// <param name="CompactedRevision">The oldest revision that can be read; -1 if all can.</param>
/// <param name="Log">Where the rows are: keeps every place of the index readable.</param>
internal readonly record struct KeySpaceView(IndexNode Root, long Revision, long CompactedRevision, RevisionLogView Log)
{
    /// <summary>Decides at which revision a read that names one (or none) takes place.</summary>
    public StoreError Resolve(long requested, out long revision)
    {
        revision = requested <= 0 ? Revision : requested;
        return revision > Revision ? StoreError.FutureRevision : revision < CompactedRevision ? StoreError.Compacted : StoreError.None;
    }

    /// <summary>Finds the version of a key that is seen.</summary>
    public bool TryFind(ReadOnlySpan<byte> key, long revision, out RecordVersion version)
    {
        version = default;
        return KeyIndex.Find(Root, key) is { } history && history.TryGetAt(revision, out version);
    }

    /// <summary>Finds the version of a key that is seen, with its history.</summary>
    /// <returns>Its position in the history, or -1 if the key does not exist.</returns>
    public int Locate(ReadOnlySpan<byte> key, long revision, out KeyHistory? history)
    {
        history = KeyIndex.Find(Root, key);
        return history?.PositionSeenAt(revision) ?? -1;
    }

    /// <summary>Reads a row.</summary>
    /// <exception cref="CorruptionException">The bytes on disk are not what was written.</exception>
    public byte[] ReadRow(RecordVersion version)
    {
        var row = GC.AllocateUninitializedArray<byte>(version.Place.Length);
        var length = Log.Read(version.Place, row);
        Invariant.Holds(length == row.Length);
        return row;
    }
}
