using Cairn.Raft;
using Cairn.Server.Import;
using Cairn.State;
using Cairn.State.Schema;
using Cairn.State.Transfer;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Transfer;

/// <summary>Takes the state that a leader of etcd sends: the members in the snapshot itself, and behind it the backend file, as it is at the snapshot's index.</summary>
/// <remarks>
/// The file is saved first, since it can only be read at its end. What is in it is believed no more than an own one would be. One user. Source: etcd
/// server/etcdserver/snapshot_merge.go, api/rafthttp/snapshot_sender.go.
/// </remarks>
/// <param name="node">The node.</param>
/// <param name="view">What the node had when it began.</param>
internal sealed class BackendDownload(NodeRuntime node, ReadView view)
{
    private const int PieceBytes = 1 << 20;

    private RevisionLogEnds _begun = RevisionLogEnds.Empty;

    /// <summary>Bytes that have come.</summary>
    public long BytesTaken { get; private set; }

    /// <summary>Deletes what a process that ended meanwhile left.</summary>
    /// <param name="disk">The disk.</param>
    public static void DropLeftover(IDisk disk)
    {
        if (disk.FileExists(DataDirectory.ReceivedBackend))
        {
            disk.Delete(DataDirectory.ReceivedBackend);
        }
    }

    /// <summary>Takes it.</summary>
    /// <param name="snapshot">The snapshot; its data names the members.</param>
    /// <param name="image">The backend file, to its end.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <returns>The state.</returns>
    /// <exception cref="TransferException">It is none that can be installed.</exception>
    /// <exception cref="IOException">The disk failed, or the sender went away.</exception>
    public async Task<ReceivedState> TakeAsync(Snapshot snapshot, Stream image, CancellationToken cancelled)
    {
        DropLeftover(node.World.Disk);
        using var file = node.World.Disk.Open(DataDirectory.ReceivedBackend, OpenIntent.Create);
        try
        {
            await SaveAsync(image, file, cancelled);
            return await ReadAsync(snapshot, file, cancelled);
        }
        catch (CorruptionException damage)
        {
            throw new TransferException(damage.Message);
        }
        finally
        {
            DropLeftover(node.World.Disk);
        }
    }

    /// <summary>Drops what was received.</summary>
    public void Abandon() => ReceivedState.DropRows(node.World, _begun);

    private async Task SaveAsync(Stream image, IDiskFile file, CancellationToken cancelled)
    {
        var piece = new byte[PieceBytes];
        while (true)
        {
            var count = await image.ReadAtLeastAsync(piece, piece.Length, throwOnEndOfStream: false, cancelled);
            if (count == 0)
            {
                return;
            }

            await file.WriteAsync(BytesTaken, piece.AsMemory(0, count));
            BytesTaken += count;
        }
    }

    private async Task<ReceivedState> ReadAsync(Snapshot snapshot, IDiskFile file, CancellationToken cancelled)
    {
        var backend = EtcdDirectory.OpenBackend(DataDirectory.ReceivedBackend, file);
        var state = SchemaReader.Read(DataDirectory.ReceivedBackend, backend);
        if (state.Applied.Index != snapshot.Index || snapshot.Index <= view.Applied.Index || state.Revision < view.Revision)
        {
            throw new TransferException(
                $"a backend of index {state.Applied.Index}, revision {state.Revision}, in a snapshot of index {snapshot.Index} does not fit index {view.Applied.Index}, revision {view.Revision}");
        }

        var replay = new MembershipReplay(node.Options.LearnersMax);
        replay.Begin("snapshot", snapshot);
        state = state.Reconciled(replay.Members).At(new AppliedPosition(snapshot.Index, snapshot.Term)).Keeping(view);
        using var rows = await ReceivedState.BeginRowsAsync(node.World, ReceivedState.NumbersOf(node), state.RowBytes, state.Rows);
        try
        {
            var ends = await BackendRows.WriteAsync(SchemaReader.OpenRows(DataDirectory.ReceivedBackend, backend), rows, cancelled);
            return new ReceivedState(snapshot.Metadata, Describe(state, ends), state.Rows);
        }
        finally
        {
            _begun = rows.Capture();
        }
    }

    private static StateDelta Describe(EtcdState state, RevisionLogEnds ends) => new()
    {
        Applied = state.Applied,
        SmallState = state.ToSmallState(),
        BaseRevision = 0,
        Kept = null,
        IsWhole = true,
        Segments = ends,
    };
}
