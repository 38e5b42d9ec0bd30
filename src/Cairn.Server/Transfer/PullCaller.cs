using Cairn.Protocol.Transfer;
using Cairn.Server.Peers;
using Google.Protobuf;

namespace Cairn.Server.Transfer;

/// <summary>Asks a sender for chunks, again and again where none comes. One user.</summary>
/// <param name="world">What the member touches.</param>
/// <param name="clusterId">The cluster.</param>
/// <param name="memberId">This member.</param>
/// <param name="urls">Where the sender is.</param>
/// <param name="stopping">Ends everything.</param>
internal sealed class PullCaller(NodeWorld world, ulong clusterId, ulong memberId, IReadOnlyList<string> urls, CancellationToken stopping)
{
    private int _at;

    /// <summary>Asks for a chunk.</summary>
    /// <param name="pull">Which.</param>
    /// <returns>What came.</returns>
    /// <exception cref="TransferException">The sender does not give it, or is not reached.</exception>
    /// <exception cref="OperationCanceledException">This member stops.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> AskAsync(StatePull pull)
    {
        var began = world.Time.GetTimestamp();
        var strangers = 0;
        for (var attempt = 1; ; attempt++)
        {
            var answer = await AskOnceAsync(pull);
            if (answer.Status == 200)
            {
                return answer.Body;
            }

            if (answer.Status is 404 or 412 && ++strangers < urls.Count)
            {
                // At one of the sender's addresses stands somebody else, another process of its member perhaps.
                _at++;
                continue;
            }

            if (answer.Status is not (0 or 503) || attempt == TransferLimits.AttemptsMax || world.Time.GetElapsedTime(began) >= TransferLimits.SilenceMax)
            {
                // A sender that has heard nothing for so long has given this one up, and another may offer meanwhile.
                throw new TransferException(answer.Status == 0 ? "the sender is not reached" : $"the sender refused: {answer.Status} {answer.Text}");
            }

            await Task.Delay(TransferLimits.RetryPause, world.Time, stopping);
        }
    }

    /// <summary>Tells the sender, once, how it ended; it finds out by itself if this is lost.</summary>
    /// <param name="session">The session.</param>
    /// <param name="outcome">How.</param>
    /// <returns>Completes when told, or not.</returns>
    public async ValueTask EndAsync(ulong session, StatePull.Types.Outcome outcome) =>
        await AskOnceAsync(new StatePull { Session = session, Outcome = outcome });

    private async ValueTask<PeerAnswer> AskOnceAsync(StatePull pull)
    {
        if (urls.Count == 0 || world.Calls is not { } calls)
        {
            return PeerAnswer.None;
        }

        pull.ClusterId = clusterId;
        pull.MemberId = memberId;
        pull.Format = TransferLimits.Format;
        using var limit = new CancellationTokenSource(TransferLimits.AnswerWithin, world.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        var answer = await calls.AskAsync(urls[_at % urls.Count], new PeerCall(StateTransfer.PullPath, pull.ToByteArray()) { ClusterId = clusterId }, both.Token);
        _at += answer.Status == 0 ? 1 : 0;
        return answer;
    }
}
