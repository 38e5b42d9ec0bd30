using Cairn.State;
using Cairn.Storage;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary>The state that a log makes of nothing, in a temporary directory, which goes when this is disposed.</summary>
internal sealed class LogReplay : IDisposable
{
    private const string Store = "store";

    private readonly DirectoryInfo _directory;
    private readonly RealDisk _disk;
    private readonly RevisionLog _rows;

    private LogReplay()
    {
        _directory = Directory.CreateTempSubdirectory("cairn-");
        _disk = new RealDisk(_directory.FullName);
        _disk.CreateDirectory(Store);
        _rows = RevisionLog.Open(_disk, Store, RevisionLogEnds.Empty, new RevisionLogOptions());
        State = StateMachine.Create(_rows, LocalStore.Options);
    }

    /// <summary>The state.</summary>
    public StateMachine State { get; }

    /// <summary>Applies a log from its first entry on.</summary>
    /// <param name="log">The log, with all its entries.</param>
    /// <param name="toIndex">The last entry to apply.</param>
    /// <param name="report">Where to say that it cannot be done.</param>
    /// <returns>The state; null if the log does not reach back to its beginning.</returns>
    public static LogReplay? TryRun(WalContents log, ulong toIndex, CheckReport report)
    {
        if (log.FirstIndex > 1)
        {
            report.Sound($"not replayed: the log begins at entry {log.FirstIndex}, what was before is in the state alone");
            return null;
        }

        var replay = new LogReplay();
        try
        {
            LocalStore.Apply(replay.State, log.Entries.Where(entry => entry.Index <= toIndex));
            while (replay.State.Sweep(int.MaxValue))
            {
                // Compactions are carried out to their end, so that rows can be compared.
            }

            replay.State.Publish();
            report.Sound($"replayed {toIndex} entries: revision {replay.State.View.Revision}, {replay.State.View.LiveKeys} keys");
            return replay;
        }
        catch
        {
            // The caller gets nothing to dispose.
            replay.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows.Dispose();
        _disk.Dispose();
        _directory.Delete(recursive: true);
    }
}
