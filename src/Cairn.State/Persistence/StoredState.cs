using Cairn.State.Members;
using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;

namespace Cairn.State.Persistence;

/// <summary>The state as a manifest describes it, opened from a store's directory.</summary>
/// <param name="Log">The segments.</param>
/// <param name="State">The state; does not own the log.</param>
/// <param name="CheckpointRevision">Revision of the index checkpoint that was used; 0 without one.</param>
public sealed record StoredState(RevisionLog Log, StateMachine State, long CheckpointRevision)
{
    /// <summary>Opens.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="manifest">What to open.</param>
    /// <param name="logOptions">Sizes.</param>
    /// <param name="options">What the members agree on.</param>
    /// <returns>The state.</returns>
    /// <exception cref="CorruptionException">The files are not what the manifest describes.</exception>
    public static StoredState Open(IDisk disk, string directory, ManifestContents manifest, RevisionLogOptions logOptions, StateOptions options)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var log = RevisionLog.Open(disk, directory, manifest.Segments, logOptions);
        if (manifest.AppliedIndex == 0)
        {
            return new StoredState(log, StateMachine.Create(log, options), 0);
        }

        try
        {
            var index = ReadCheckpoint(disk, directory, manifest.Checkpoint);
            var state = StateMachine.Open(log, manifest.SmallState.Span, index, options);
            Invariant.Holds(state.Applied == new AppliedPosition(manifest.AppliedIndex, manifest.AppliedTerm));
            if (index is null && manifest.Checkpoint is { } checkpoint && !IsWhatManifestCounted(manifest, log))
            {
                throw WithoutIndex(directory, checkpoint);
            }

            return new StoredState(log, state, index?.Revision ?? 0);
        }
        catch
        {
            // The caller gets no log to dispose.
            log.Dispose();
            throw;
        }
    }

    /// <summary>Opens what verifies of a damaged store. Its files must be there, with their headers and as long as the manifest says, whatever is in them.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="manifest">What to open.</param>
    /// <param name="logOptions">Sizes.</param>
    /// <param name="options">What the members agree on.</param>
    /// <param name="givenUp">The last entry that is given up, if something is lost.</param>
    /// <param name="loss">What is lost; null if nothing is.</param>
    /// <returns>The state, whose rows are not all in the order that a start relies upon: it needs an index of its own in the next manifest.</returns>
    /// <exception cref="CorruptionException">There is no state that could be gone back to.</exception>
    public static StoredState Salvage(
        IDisk disk, string directory, ManifestContents manifest, RevisionLogOptions logOptions, StateOptions options, AppliedPosition givenUp, out StateLoss? loss)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var index = ReadCheckpoint(disk, directory, manifest.Checkpoint);
        if (index is null && manifest.Checkpoint is { } checkpoint)
        {
            throw WithoutIndex(directory, checkpoint);
        }

        var log = RevisionLog.Open(disk, directory, manifest.Segments, logOptions);
        try
        {
            return new StoredState(log, StateMachine.Salvage(log, manifest.SmallState.Span, index, options, givenUp, out loss), index?.Revision ?? 0);
        }
        catch
        {
            // The caller gets no log to dispose.
            log.Dispose();
            throw;
        }
    }

    /// <summary>Reads who the members are, without opening the rest.</summary>
    /// <param name="manifest">Which state.</param>
    /// <returns>The members; none if the small state cannot be read.</returns>
    public static MemberTable MembersOf(ManifestContents manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return SmallState.TryDecode(manifest.SmallState.Span, out var small) ? small.Members : MemberTable.Empty;
    }

    /// <summary>
    /// Whether an index made from the rows alone needs what the manifest says is needed. It may need more: of a key whose deletion the cleaner has dropped, or
    /// that a transfer made forget, older rows can still be there.
    /// </summary>
    private static bool IsWhatManifestCounted(ManifestContents manifest, RevisionLog log) =>
        manifest.Compaction.Finished == manifest.Compaction.Scheduled
        && manifest.Segments.Segments.Select(segment => segment.LiveBytes).SequenceEqual(log.Capture().Segments.Select(segment => segment.LiveBytes));

    private static CorruptionException WithoutIndex(string directory, CheckpointFile checkpoint) =>
        new($"{directory}/{checkpoint.Name}", 0, "without this index the rows do not say which keys are gone");

    private static IndexCheckpointReader? ReadCheckpoint(IDisk disk, string directory, CheckpointFile? file)
    {
        if (file is null || !disk.FileExists($"{directory}/{file.Name}"))
        {
            return null;
        }

        try
        {
            using var reader = CheckpointReader.Open(disk, directory, file);
            var index = new IndexCheckpointReader();
            while (reader.TryReadNext(out var chunk))
            {
                if (!index.TryAdd(chunk.Span))
                {
                    return null;
                }
            }

            return index;
        }
        catch (CorruptionException)
        {
            // It saves time, and the rows say the same if what they come to is what the manifest counted.
            return null;
        }
    }
}
