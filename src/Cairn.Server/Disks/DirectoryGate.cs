using Cairn.Server.Peers;
using Cairn.Storage;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Disks;

/// <summary>Keeps a start waiting while its directories belong to somebody else: it stays up, not ready, and says what would let it in.</summary>
internal static class DirectoryGate
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RepeatEvery = TimeSpan.FromSeconds(60);

    /// <summary>Waits until this process may read and write what is there.</summary>
    /// <param name="options">Which directories.</param>
    /// <param name="world">Time, and where to say what is waited for.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Completes when all may be used.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task PassAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        var logger = world.LoggerFactory.CreateLogger("cairn.server");
        while ((FaultOf(options.DataDirectory, logger) ?? FaultOf(options.LogDirectory, logger)) is { } fault)
        {
            world.Reception.Open(static (_, _) => new(PeerAnswer.None));
            if (world.Reception.WaitFor(fault, world.Time, RepeatEvery))
            {
                logger.ReadmissionWaits(fault);
            }

            await Task.Delay(Pause, world.Time, cancelled);
        }

        world.Reception.StopWaiting();
    }

    private static string? FaultOf(string? directory, ILogger logger)
    {
        var access = directory is null ? null : DirectoryAccess.Of(directory);
        foreach (var path in access?.Mended ?? [])
        {
            logger.ModeMended(path);
        }

        return access?.Fault;
    }
}
