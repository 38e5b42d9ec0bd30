using System.Buffers;
using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.State;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;

namespace Cairn.Server.Upkeep;

/// <summary>Makes the state durable in the background: rows, now and then the index, and a manifest that names them; then lets the log before it go.</summary>
/// <remarks>Owned by the housekeeping loop. Nothing that a client waits for waits for this.</remarks>
internal sealed class StateWriter
{
    // Large enough that the bytes around a chunk do not count, small beside the memory of the index.
    private const int ChunkBytes = 256 * 1024;

    // The rows after the checkpoint are read at start: so many take well under a second.
    private const long RevisionsPerCheckpoint = 250_000;

    // Small stores that are compacted every few minutes write their index as often; large ones not more often than this.
    private static readonly TimeSpan CompactionInIndexWithin = TimeSpan.FromMinutes(1);

    private readonly NodeRuntime _node;
    private readonly ManifestStore _manifests;
    private readonly ManifestIdentity _identity;
    private CheckpointFile? _checkpoint;
    private long _checkpointAt;

    /// <summary>Continues from the newest manifest.</summary>
    /// <param name="node">The node.</param>
    /// <param name="manifests">The manifests.</param>
    /// <param name="identity">Who this data directory is.</param>
    /// <param name="checkpointRevision">Revision of the checkpoint that the newest manifest names; 0 without one.</param>
    public StateWriter(NodeRuntime node, ManifestStore manifests, ManifestIdentity identity, long checkpointRevision)
    {
        _node = node;
        _manifests = manifests;
        _identity = identity;
        _checkpoint = manifests.Newest?.Checkpoint;
        CheckpointRevision = _checkpoint is null ? 0 : checkpointRevision;
        WrittenIndex = manifests.Newest?.AppliedIndex ?? 0;
        WrittenBytes = node.RevisionLog.TotalBytes;
        WrittenAt = node.Time.GetTimestamp();
        _checkpointAt = WrittenAt;
        Removed = node.View.Members.Removed;
    }

    /// <summary>Applied index of the newest manifest.</summary>
    public ulong WrittenIndex { get; private set; }

    /// <summary>Bytes of the segments then.</summary>
    public long WrittenBytes { get; private set; }

    /// <summary>Who had been removed from the cluster then. Any thread.</summary>
    public ImmutableArray<ulong> Removed { get; private set; }

    /// <summary>When it was written, as a timestamp.</summary>
    public long WrittenAt { get; private set; }

    /// <summary>Revision of the checkpoint that the newest manifest names; 0 without one.</summary>
    public long CheckpointRevision { get; private set; }

    /// <summary>Whether rows were moved since the checkpoint, so that it is better written anew.</summary>
    public bool IsCheckpointStale { get; set; }

    /// <summary>Writes the state of now.</summary>
    /// <returns>Completes when durable: true; false, with nothing written, if the log is not durable up to the state.</returns>
    /// <exception cref="IOException">The disk failed: have the log salvaged, try again later.</exception>
    public Task<bool> WriteAsync() => WriteAsync(isInstalled: false);

    /// <summary>Writes a state that was just received: the log follows once this is durable. Twice, so that the manifest before the newest does not need the old log.</summary>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The disk failed: have the log salvaged, try again later.</exception>
    public async Task WriteInstalledAsync()
    {
        await WriteAsync(isInstalled: true);
        await WriteAsync(isInstalled: true);
    }

    private async Task<bool> WriteAsync(bool isInstalled)
    {
        var began = _node.Time.GetTimestamp();
        var (capture, view, finished) = await _node.ApplyLoop.CallAsync(
            static state => (state.Capture(), state.View, state.FinishedCompaction));
        await _node.RevisionLog.SyncAsync(capture.Log);
        if (_node.Facts.Durable < capture.Applied.Index && !isInstalled)
        {
            // What only others have synced may be applied; a manifest must not promise it. Most often the log has caught up while the rows were synced.
            return false;
        }

        if (IsCheckpointDue(view))
        {
            _checkpoint = await WriteCheckpointAsync(_node.World.Disk, _manifests, view);
            CheckpointRevision = view.Revision;
            _checkpointAt = _node.Time.GetTimestamp();
            IsCheckpointStale = false;
        }

        await _manifests.WriteAsync(Describe(capture, finished) with { IsInstalled = isInstalled });
        WrittenIndex = capture.Applied.Index;
        WrittenBytes = capture.Log.Segments.Sum(static segment => segment.End);
        WrittenAt = _node.Time.GetTimestamp();
        Removed = capture.Members.Removed;
        await _node.ApplyLoop.CallAsync(state =>
        {
            _node.RevisionLog.ManifestWritten(capture.Log);
            return true;
        });
        _node.RaftLoop.ReleaseLog(_manifests.ReplayFrom);
        _node.Metrics.StateSync.Observe(_node.Time.GetElapsedTime(began).TotalSeconds);
        _node.Logger.StateWritten(WrittenIndex, _node.Time.GetElapsedTime(began));
        return true;
    }

    /// <summary>Writes the index of a state.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="manifests">The manifests, of which the next is to name it.</param>
    /// <param name="view">The state.</param>
    /// <returns>The file, durable.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public static async Task<CheckpointFile> WriteCheckpointAsync(IDisk disk, ManifestStore manifests, ReadView view)
    {
        var source = new IndexCheckpointWriter(view);
        using var file = CheckpointWriter.Begin(disk, DataDirectory.Store, manifests.TakeCheckpointNumber());
        var chunk = new ArrayBufferWriter<byte>(ChunkBytes + 4096);
        while (source.TryWriteChunk(chunk, ChunkBytes))
        {
            await file.WriteAsync(chunk.WrittenMemory);
            chunk.ResetWrittenCount();

            // Others get their turn between chunks, even when the disk takes all of them at once.
            await Task.Yield();
        }

        return await file.FinishAsync();
    }

    /// <summary>
    /// However few the keys are: only tombstones older than the checkpoint can be dropped by the cleaner. And where history was compacted, rows alone would not tell
    /// which key lost one to rot; the index does.
    /// </summary>
    private bool IsCheckpointDue(ReadView view) =>
        IsCheckpointStale
        || view.Revision - CheckpointRevision >= Math.Max(RevisionsPerCheckpoint, view.LiveKeys / 4)
        || (view.CompactedRevision > CheckpointRevision && _node.Time.GetElapsedTime(_checkpointAt) >= CompactionInIndexWithin);

    private ManifestContents Describe(StateCapture capture, long finished) => new()
    {
        Identity = _identity,
        AppliedIndex = capture.Applied.Index,
        AppliedTerm = capture.Applied.Term,
        ConfState = new ConfState
        {
            Voters = [.. capture.Members.Voters.Order()],
            Learners = [.. capture.Members.Learners.Order()],
        },
        CurrentRevision = capture.Revision,
        Compaction = new CompactionFloor(Math.Max(capture.CompactedRevision, 0), Math.Max(finished, 0)),
        Segments = capture.Log,
        Checkpoint = _checkpoint,
        SmallState = capture.SmallState,
        MemberState = _node.Memory.Encode(),
    };
}
