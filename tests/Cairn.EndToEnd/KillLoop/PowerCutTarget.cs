using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>One server on a disk of its own, whose power is cut each time: what was not synced at that moment is gone.</summary>
/// <param name="server">The server, its data on the disk.</param>
/// <param name="disk">The disk.</param>
/// <param name="prng">Says how long after an acknowledgement.</param>
internal sealed class PowerCutTarget(Server server, SmallDisk disk, Prng prng) : IKillTarget
{
    // Longer than a write takes, so that every moment of it is hit.
    private const int MillisecondsAfterMax = 10;

    /// <inheritdoc/>
    public IReadOnlyList<string> Endpoints => [server.Endpoint];

    /// <inheritdoc/>
    public string Said => server.Run.Said;

    /// <inheritdoc/>
    public async Task KillAsync()
    {
        await Task.Delay(prng.Below(MillisecondsAfterMax));
        Signals.SendStop(server.Run.Process);
        await StoppedAsync();
        await disk.FreezeAsync();
        await server.KillAsync();
        await disk.LosePowerAsync();
    }

    /// <summary>Waits until every thread stands still: a stop reaches one after another, and what a thread acknowledges until then must be in the image.</summary>
    private async Task StoppedAsync()
    {
        for (var attempt = 0; Directory.GetDirectories($"/proc/{server.Run.Process.Id}/task").Any(static thread => !IsStopped(thread)); attempt++)
        {
            Assert.True(attempt < 6000, "the server does not stop");
            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
    }

    private static bool IsStopped(string thread)
    {
        try
        {
            var status = File.ReadAllText(Path.Combine(thread, "stat"));
            return status[status.LastIndexOf(')') + 2] is 'T' or 't';
        }
        catch (IOException)
        {
            return true; // It ended after it was listed.
        }
    }
}
