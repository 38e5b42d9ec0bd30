using Cairn.State.Schema;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Import;

/// <summary>Writes what is in an etcd backend into segments.</summary>
internal static class BackendRows
{
    // Rows in memory that are moved to the segments at once: far less than the tail may hold.
    private const long FlushBytes = 8L * 1024 * 1024;

    /// <summary>Writes all rows, durably.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="log">Where to.</param>
    /// <param name="cancelled">Ends the writing.</param>
    /// <returns>What a manifest names.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<RevisionLogEnds> WriteAsync(EtcdRows rows, RevisionLog log, CancellationToken cancelled)
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
                unflushed = 0;
            }
        }

        var ends = log.Capture();
        await log.SyncAsync(ends);
        return ends;
    }
}
