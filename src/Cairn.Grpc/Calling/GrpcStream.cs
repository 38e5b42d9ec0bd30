using System.Buffers;
using Google.Protobuf;

namespace Cairn.Grpc.Calling;

/// <summary>A call in which both sides send any number of messages. One writer and one reader at a time, which may be different threads.</summary>
/// <typeparam name="TRequest">The messages that are sent.</typeparam>
/// <typeparam name="TResponse">The messages that are answered.</typeparam>
public sealed class GrpcStream<TRequest, TResponse> : IAsyncDisposable
    where TRequest : IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    private readonly MessageParser<TResponse> _parser;
    private readonly DuplexContent _content;
    private readonly Task<HttpResponseMessage> _response;
    private readonly CallScope _scope;
    private readonly int _responseBytesMax;
    private readonly ArrayBufferWriter<byte> _frame = new();
    private MessageReader? _reader;
    private bool _disposed;

    internal GrpcStream(
        MessageParser<TResponse> parser,
        DuplexContent content,
        Task<HttpResponseMessage> response,
        CallScope scope,
        int responseBytesMax)
    {
        _parser = parser;
        _content = content;
        _response = response;
        _scope = scope;
        _responseBytesMax = responseBytesMax;
    }

    /// <summary>Sends one message.</summary>
    /// <param name="request">The message.</param>
    /// <returns>When the message is on its way.</returns>
    /// <exception cref="GrpcException">The call has failed; the reader gets the server's reason.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async ValueTask WriteAsync(TRequest request)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        try
        {
            Stream stream = await _content.Opened.ConfigureAwait(false);
            _frame.ResetWrittenCount();
            Framing.Write(_frame, request);
            await stream.WriteAsync(_frame.WrittenMemory, _scope.Token).ConfigureAwait(false);
            await stream.FlushAsync(_scope.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (CallFailures.Concerns(e) || e is InvalidOperationException)
        {
            // The latter, a disposed stream among them, is how a request says that it ended while this was being written.
            throw _scope.Translate(e);
        }
    }

    /// <summary>Says that no other message follows. The answer may go on.</summary>
    public void CompleteWriting() => _content.Complete();

    /// <summary>Waits for the next message.</summary>
    /// <returns>The message, or null when the server ended the call with success.</returns>
    /// <exception cref="GrpcException">The call ended with another status.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async ValueTask<TResponse?> ReadAsync()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        try
        {
            HttpResponseMessage response = await _response.ConfigureAwait(false);
            if (_reader is null)
            {
                GrpcChannel.ThrowUnlessOk(CallFailures.OfHeaders(response));
                Stream stream = await response.Content.ReadAsStreamAsync(_scope.Token).ConfigureAwait(false);
                _reader = new MessageReader(stream, _responseBytesMax);
            }

            TResponse? message = await _reader.ReadAsync(_parser, _scope.Token).ConfigureAwait(false);
            if (message is null)
            {
                GrpcChannel.ThrowUnlessOk(CallFailures.OfTrailers(response));
            }

            return message;
        }
        catch (Exception e) when (CallFailures.Concerns(e))
        {
            throw _scope.Translate(e);
        }
    }

    /// <summary>Ends the call, whatever its state. Nobody may be reading or writing any more; who still might is stopped by the call's token.</summary>
    /// <returns>When the call is gone.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _scope.Cancel();
        _content.Fail(new OperationCanceledException("the call was disposed"));
        try
        {
            (await _response.ConfigureAwait(false)).Dispose();
        }
        catch (Exception e) when (e is GrpcException || CallFailures.Concerns(e))
        {
            // The call had failed before, and its users know.
        }

        _reader?.Dispose();
        _scope.Dispose();
    }
}
