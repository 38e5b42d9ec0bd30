using Cairn.State.Schema;
using Cairn.Storage.Revisions;

namespace Cairn.Offline;

/// <summary>Writes what is in an etcd backend into a store's segments.</summary>
internal static class BackendRows
{
    // Rows in memory that are moved to the segments at once: far less than the tail may hold.
    private const long FlushBytes = 8L * 1024 * 1024;

    /// <summary>Writes all rows, durably.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="log">Where to.</param>
    /// <param name="progress">Is told how many bytes were written.</param>
    /// <param name="cancelled">Ends the writing.</param>
    /// <returns>What a manifest names.</returns>
    public static async Task<RevisionLogEnds> WriteAsync(EtcdRows rows, RevisionLog log, Progress progress, CancellationToken cancelled)
    {
        long unflushed = 0;
        while (rows.MoveNext())
        {
            log.Append(rows.Kind, rows.Revision, rows.Payload);
            unflushed += rows.Payload.Length;
            if (unflushed >= FlushBytes)
            {
                cancelled.ThrowIfCancellationRequested();
                await log.FlushAsync();
                progress.Report(unflushed);
                unflushed = 0;
            }
        }

        var ends = log.Capture();
        await log.SyncAsync(ends);
        return ends;
    }
}
