using System.Buffers;
using Cairn.Grpc;
using Google.Protobuf;

namespace Cairn.Host.Grpc;

/// <summary>Writes one framed message.</summary>
/// <typeparam name="T">Type of the message.</typeparam>
/// <param name="output">Where to.</param>
/// <param name="message">The message.</param>
/// <returns>Bytes of the message, without the head.</returns>
internal delegate int MessageWriter<in T>(IBufferWriter<byte> output, T message);

/// <summary>The writer of generated messages.</summary>
internal static class ProtobufWriter
{
    /// <summary>Writes any generated message.</summary>
    public static readonly MessageWriter<IMessage> Instance = Framing.Write;
}
