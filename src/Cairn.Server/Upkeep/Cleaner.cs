using Cairn.Storage.Revisions;

namespace Cairn.Server.Upkeep;

/// <summary>Gets room back: copies what is needed out of the emptiest segments, slowly enough that nobody notices.</summary>
/// <remarks>Owned by the housekeeping loop. Nothing is lost when it stops half way.</remarks>
/// <param name="node">The node.</param>
internal sealed class Cleaner(NodeRuntime node)
{
    // One step reads so much; between steps the disk belongs to others.
    private const int StepBytes = 1 << 20;

    // 1 MiB every 40 ms: 25 MiB a second, a fraction of what the slowest disk that etcd's documentation accepts can do.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(40);

    /// <summary>Empties segments while there are some that are worth it.</summary>
    /// <param name="policy">When a segment is worth it.</param>
    /// <param name="checkpointRevision">Revision of the checkpoint that the newest manifest names; 0 without one.</param>
    /// <param name="isPatient">Whether to leave pauses for others.</param>
    /// <returns>Bytes of records looked at; 0 if nothing was worth it.</returns>
    /// <exception cref="IOException">The disk failed; the round was given up.</exception>
    /// <exception cref="Storage.CorruptionException">A segment is damaged; the round was given up.</exception>
    public async Task<long> RunAsync(CleaningPolicy policy, long checkpointRevision, bool isPatient)
    {
        var round = await node.ApplyLoop.CallAsync(state =>
        {
            var begun = node.RevisionLog.BeginCleaning(policy);

            // The round's output is a segment that readers must know before a row is in it.
            state.Publish();
            return begun;
        });
        if (round is null)
        {
            return 0;
        }

        long bytes = 0;
        try
        {
            while (true)
            {
                var step = await round.StepAsync(node.View.CleanerLookup(checkpointRevision), StepBytes);
                await node.ApplyLoop.CallAsync(state =>
                {
                    state.CompleteCleaning(step);
                    state.Publish();
                    return true;
                });
                bytes += step.BytesRead;
                if (step.IsLast)
                {
                    node.Logger.Cleaned(bytes);
                    return bytes;
                }

                if (isPatient)
                {
                    await Task.Delay(Pause, node.Time);
                }
            }
        }
        catch (Exception failure) when (failure is IOException or Storage.CorruptionException)
        {
            await node.ApplyLoop.CallAsync(_ =>
            {
                node.RevisionLog.AbandonCleaning();
                return true;
            });
            throw;
        }
    }
}
