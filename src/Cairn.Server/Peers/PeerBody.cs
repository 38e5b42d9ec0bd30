using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Server.Peers;

/// <summary>Reads what members answer each other.</summary>
internal static class PeerBody
{
    /// <summary>Asks another member, for a while.</summary>
    /// <typeparam name="T">Type of the answer.</typeparam>
    /// <param name="world">How members are asked.</param>
    /// <param name="url">Peer URL of the other.</param>
    /// <param name="call">The question.</param>
    /// <param name="parser">Parser of the answer.</param>
    /// <param name="within">For how long.</param>
    /// <returns>The answer; null if there was none, or none that makes sense.</returns>
    public static async Task<T?> AskAsync<T>(NodeWorld world, string url, PeerCall call, MessageParser<T> parser, TimeSpan within)
        where T : class, IMessage<T>
    {
        if (world.Calls is not { } calls)
        {
            return null;
        }

        using var limit = new CancellationTokenSource(within, world.Time);
        try
        {
            var answer = await calls.AskAsync(url, call, limit.Token);
            return answer.Status == 200 ? TryParse(parser, answer.Body) : null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Reads a message.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="parser">Its parser.</param>
    /// <param name="body">What was answered.</param>
    /// <returns>The message; null if these bytes are none.</returns>
    public static T? TryParse<T>(MessageParser<T> parser, ReadOnlyMemory<byte> body)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseGuarded(body.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
