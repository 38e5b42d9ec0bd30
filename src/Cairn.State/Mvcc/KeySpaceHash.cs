namespace Cairn.State.Mvcc;

/// <summary>A hash over the key space at a revision, comparable between members, etcd's included.</summary>
/// <param name="Hash">CRC-32C over revision keys and rows.</param>
/// <param name="CompactedRevision">The compaction that it takes as done; -1 if none.</param>
/// <param name="Revision">The revision it is of.</param>
public readonly record struct KeySpaceHash(uint Hash, long CompactedRevision, long Revision);

/// <summary>The hashes of the newest compactions, which answer for revisions that cannot be read any more. Immutable.</summary>
/// <remarks>Source: etcd server/storage/mvcc/hash.go.</remarks>
public sealed class CompactionHashes
{
    // etcd's number: the checker of a leader asks for the newest few.
    private const int HashesMax = 10;

    private readonly KeySpaceHash[] _hashes;

    private CompactionHashes(KeySpaceHash[] hashes) => _hashes = hashes;

    /// <summary>None.</summary>
    public static CompactionHashes Empty { get; } = new([]);

    /// <summary>All of them, by ascending revision.</summary>
    public IReadOnlyList<KeySpaceHash> All => _hashes;

    internal bool TryFind(long revision, out KeySpaceHash hash)
    {
        hash = Array.Find(_hashes, each => each.Revision == revision);
        return hash.Revision == revision && revision > 0;
    }

    internal CompactionHashes With(KeySpaceHash hash) =>
        new([.. _hashes.Append(hash).OrderBy(each => each.Revision).TakeLast(HashesMax)]);
}
