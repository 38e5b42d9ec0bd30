using Cairn.Bbolt;
using Cairn.State.Persistence;
using Cairn.State.Schema;
using Cairn.Storage;

namespace Cairn.Server.Reads;

/// <summary>The state at one moment as etcd's backend file, ready to be written out front to back in bounded memory. Owned by the call that asked.</summary>
/// <param name="Capture">The moment: applied index and term, members, revision.</param>
/// <param name="File">The file.</param>
internal sealed record StateImage(StateCapture Capture, BboltImage File)
{
    // Rows looked at between two chances for others: some milliseconds.
    private const int RowsPerStep = 10_000;

    /// <summary>Takes the state of now and lays the file out. Nobody waits for it: it reads a view.</summary>
    /// <param name="node">The node.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <returns>The image; null if the node stopped or the caller gave up.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written: the member stops.</exception>
    public static async ValueTask<StateImage?> TakeAsync(NodeRuntime node, CancellationToken cancelled)
    {
        StateCapture capture;
        State.ReadView view;
        try
        {
            (capture, view) = await node.ApplyLoop.CallAsync(static state => (state.Capture(), state.View));
        }
        catch (OperationCanceledException)
        {
            return null;
        }

        using var planner = new BboltPlanner(SchemaImage.Buckets(capture, view));
        try
        {
            while (planner.Step(RowsPerStep))
            {
                if (cancelled.IsCancellationRequested)
                {
                    return null;
                }

                await Task.Yield();
            }
        }
        catch (CorruptionException damage)
        {
            node.Disks.Damage.Note(damage);
            throw;
        }

        return new StateImage(capture, planner.Image);
    }
}
