using System.Net;
using System.Net.Http.Headers;

namespace Cairn.Host.Peers;

/// <summary>A body that is made piece by piece while it is sent, no faster than the other side takes it.</summary>
internal sealed class PartsContent : HttpContent
{
    private readonly IAsyncEnumerable<ReadOnlyMemory<byte>> _parts;

    /// <param name="parts">The pieces; each is valid until the next one is asked for.</param>
    public PartsContent(IAsyncEnumerable<ReadOnlyMemory<byte>> parts)
    {
        _parts = parts;
        Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> part in _parts.WithCancellation(cancellationToken))
        {
            await stream.WriteAsync(part, cancellationToken);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
