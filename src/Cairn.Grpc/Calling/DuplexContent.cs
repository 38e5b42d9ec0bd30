using System.Net;

namespace Cairn.Grpc.Calling;

/// <summary>A request whose messages are written one by one while the answer is read.</summary>
internal sealed class DuplexContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public DuplexContent()
    {
        Headers.ContentType = ContentTypes.Grpc;
    }

    /// <summary>Where messages are written, as soon as the request's headers are on their way; fails if they never will be.</summary>
    public Task<Stream> Opened => _opened.Task;

    /// <summary>Ends the request's side of the call.</summary>
    public void Complete() => _complete.TrySetResult();

    /// <summary>Lets writers know that the request's side never opened, or is gone.</summary>
    /// <param name="cause">Why.</param>
    public void Fail(Exception cause)
    {
        if (_opened.TrySetException(cause))
        {
            // Nobody may be waiting, and then nobody needs to be told.
            _ = _opened.Task.Exception;
        }

        _complete.TrySetResult();
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // The server must see the call although no message may follow for long.
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        _opened.TrySetResult(stream);
        await _complete.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
