using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>All members that tell a hash of the same revision and the same compaction tell the same one, at any time.</summary>
/// <remarks>
/// Not where no key lives: there etcd's hash, and ours with it, depends on whether it is asked for or comes from a compaction at that revision (see HashCursor).
/// Source: etcd server/etcdserver/corrupt.go, "corruption check"; server/storage/mvcc/hash.go.
/// </remarks>
internal static class HashesAgree
{
    public static string? Check(Chronicle chronicle, History history)
    {
        foreach (var same in history.Hashes.Where(hash => chronicle.Range("\0", "\0", hash.Revision).Any()).GroupBy(static hash => (hash.Revision, hash.Compacted)))
        {
            var other = same.FirstOrDefault(hash => hash.Hash != same.First().Hash);
            if (other is not null)
            {
                return $"{other} is not {same.First()}";
            }
        }

        return null;
    }
}
