using Cairn.Protocol;
using Cairn.State;

namespace Cairn.Server.Requests;

/// <summary>Computes a hash of the key space on the caller's time, a step at a time.</summary>
internal static class HashRun
{
    // Rows read between two chances for others: some milliseconds.
    private const int RowsPerStep = 10_000;

    /// <summary>Computes.</summary>
    /// <param name="node">The node.</param>
    /// <param name="revision">Revision of the hash; 0 or less is now.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="Storage.CorruptionException">A row on disk is not what was written; it was noted.</exception>
    public static async ValueTask<Answer<HashKVResponse>> RunAsync(NodeRuntime node, long revision, CancellationToken cancelled)
    {
        var view = node.View;
        var began = node.Time.GetTimestamp();
        var error = view.OpenHash(revision, out var cursor);
        if (error != StoreError.None)
        {
            return error.ToNodeError();
        }

        try
        {
            while (cursor!.Step(RowsPerStep)) // There is one unless there is an error.
            {
                if (cancelled.IsCancellationRequested)
                {
                    return NodeError.Canceled;
                }

                await Task.Yield();
            }
        }
        catch (Storage.CorruptionException damage)
        {
            node.Disks.Damage.Note(damage);
            throw;
        }

        node.Metrics.RevisionHashes.Observe(node.Time.GetElapsedTime(began).TotalSeconds);
        var result = cursor.Result;
        return new HashKVResponse
        {
            Header = node.Headers.Make(view.Revision),
            Hash = result.Hash,
            CompactRevision = result.CompactedRevision,
            HashRevision = result.Revision,
        };
    }
}
