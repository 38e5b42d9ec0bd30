using Cairn.Server.Loops;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Disks;

/// <summary>Reads the segments again and again, slowly, so that rot is found before somebody needs the record.</summary>
/// <param name="node">The node.</param>
internal sealed class Scrub(NodeRuntime node)
{
    // 1 MiB every 100 ms: a tenth of what a slow disk reads, 2 GiB in four minutes.
    private const int StepBytes = 1 << 20;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // Rot is rare; a store smaller than memory is not read from the disk anyway.
    private static readonly TimeSpan PauseBetweenRounds = TimeSpan.FromMinutes(10);

    private readonly AsyncSignal _wake = new();
    private bool _stopping;

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        var scrubber = new RevisionLogScrubber(node.RevisionLog);
        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, Pause, Timeout.InfiniteTimeSpan);
        while (true)
        {
            await _wake.WaitAsync();
            if (Volatile.Read(ref _stopping))
            {
                return;
            }

            timer.Change(Step(scrubber) ? Pause : PauseBetweenRounds, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Ends the loop.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    private bool Step(RevisionLogScrubber scrubber)
    {
        try
        {
            return scrubber.Step(StepBytes);
        }
        catch (Exception damage) when (damage is CorruptionException or DiskException)
        {
            // It goes on behind the segment, which is written anew meanwhile.
            node.Disks.Damage.Note(damage);
            return true;
        }
    }
}
