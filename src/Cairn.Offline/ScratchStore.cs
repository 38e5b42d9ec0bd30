using Cairn.Bbolt;
using Cairn.State;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.Offline;

/// <summary>The state in an etcd backend, opened by way of a store in a temporary directory, which goes when this is disposed.</summary>
internal sealed class ScratchStore : IDisposable
{
    private const string Store = "store";

    private readonly DirectoryInfo _directory;
    private readonly RealDisk _disk;
    private RevisionLog? _log;

    private ScratchStore()
    {
        _directory = Directory.CreateTempSubdirectory("cairn-");
        _disk = new RealDisk(_directory.FullName);
        _disk.CreateDirectory(Store);
    }

    /// <summary>Opens.</summary>
    /// <param name="path">Of the backend, for messages.</param>
    /// <param name="image">The backend.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <returns>The state, and what must stay while it is used.</returns>
    public static async Task<(ScratchStore Scratch, StateMachine State)> OpenAsync(string path, BboltFile image, CancellationToken cancelled)
    {
        var state = SchemaReader.Read(path, image);
        var scratch = new ScratchStore();
        try
        {
            RevisionLogEnds ends;
            using (var log = RevisionLog.Open(scratch._disk, Store, RevisionLogEnds.Empty, new RevisionLogOptions()))
            {
                ends = await BackendRows.WriteAsync(SchemaReader.OpenRows(path, image), log, new Progress("reading", state.RowBytes, Console.Error), cancelled);
            }

            scratch._log = RevisionLog.Open(scratch._disk, Store, ends, new RevisionLogOptions());
            return (scratch, StateMachine.Open(scratch._log, state.ToSmallState(), null, LocalStore.Options));
        }
        catch
        {
            // The caller gets nothing to dispose.
            scratch.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _log?.Dispose();
        _disk.Dispose();
        _directory.Delete(recursive: true);
    }
}
