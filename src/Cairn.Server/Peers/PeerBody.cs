using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Server.Peers;

/// <summary>Reads what members answer each other.</summary>
internal static class PeerBody
{
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
