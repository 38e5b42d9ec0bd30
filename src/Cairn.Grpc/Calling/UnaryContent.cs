using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace Cairn.Grpc.Calling;

/// <summary>A request of one message.</summary>
internal sealed class UnaryContent : HttpContent
{
    private readonly IMessage _message;

    public UnaryContent(IMessage message)
    {
        _message = message;
        Headers.ContentType = ContentTypes.Grpc;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        var frame = new ArrayBufferWriter<byte>(Framing.HeadBytes + _message.CalculateSize());
        Framing.Write(frame, _message);
        await stream.WriteAsync(frame.WrittenMemory, cancellationToken).ConfigureAwait(false);
    }

    // Announced lengths are not part of gRPC, and some servers check them.
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}

/// <summary>Parsed once, since parsing it for each call is not free.</summary>
internal static class ContentTypes
{
    public static MediaTypeHeaderValue Grpc { get; } = new(GrpcHeaderNames.ContentType);
}
