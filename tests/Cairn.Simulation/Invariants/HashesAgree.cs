using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>All members that tell a hash of the same revision and the same compaction tell the same one, at any time.</summary>
/// <remarks>Source: etcd server/etcdserver/corrupt.go, "corruption check".</remarks>
internal static class HashesAgree
{
    public static string? Check(History history)
    {
        foreach (var same in history.Hashes.GroupBy(hash => (hash.Revision, hash.Compacted)))
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
