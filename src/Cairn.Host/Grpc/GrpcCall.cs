using System.Buffers;
using System.IO.Pipelines;
using Cairn.Grpc;
using Cairn.Host.Listening;
using Cairn.Host.Security;
using Cairn.Protocol;
using Google.Protobuf;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Cairn.Host.Grpc;

/// <summary>One call on the server's side: reads request messages, writes answers, ends with a status.</summary>
/// <remarks>
/// Lives on one HTTP/2 stream and is used again for the next, as Kestrel uses its own stream objects again; so nothing of it may be kept after the call.
/// One reader and one writer at a time; they may be two.
/// </remarks>
internal sealed class GrpcCall
{
    private static readonly StringValues ContentType = GrpcHeaderNames.ContentType;
    private static readonly StringValues OkText = "0";
    private static readonly StringValues[] CodeTexts = [.. Enumerable.Range(0, 17).Select(static code => new StringValues($"{code}"))];

    private readonly GrpcLimits _limits;
    private readonly Newcomer? _newcomer;
    private IHttpRequestFeature _request = null!; // Begin sets what a call needs before anyone sees it.
    private IHttpResponseFeature _response = null!; // As above.
    private IFeatureCollection _features = null!; // As above.
    private PipeReader _reader = null!; // As above.
    private PipeWriter _writer = null!; // As above.
    private MethodCounters _counters = null!; // As above.
    private CancellationTokenSource? _deadline;
    private CancellationToken _aborted;
    private long _heldBytes;
    private bool _compressed;
    private bool _hasSpoken;
    private bool _hasEnded;

    /// <param name="limits">What all calls share.</param>
    /// <param name="newcomer">What the connection has shown of itself; null where that does not matter.</param>
    public GrpcCall(GrpcLimits limits, Newcomer? newcomer = null)
    {
        _limits = limits;
        _newcomer = newcomer;
    }

    /// <summary>Signalled when the client went away or its deadline passed; for streams, also when the server stops.</summary>
    public CancellationToken Cancelled => _deadline?.Token ?? _aborted;

    /// <summary>Whether the server is stopping.</summary>
    public bool Stopping => _limits.Stopping.IsCancellationRequested;

    /// <summary>Common name of the client's verified certificate; null if there is none.</summary>
    public string? CommonName => _features.Get<ITlsConnectionFeature>()?.ClientCertificate is { } certificate ? CertificateNames.CommonNameOf(certificate) : null;

    /// <summary>Why the last read failed; OK if it did not.</summary>
    public GrpcStatus ReadFailure { get; private set; }

    /// <summary>When its first answer was there to be written, as a timestamp; 0 before.</summary>
    public long AnsweredAt { get; private set; }

    /// <summary>A request header by its lower-case name; null if absent.</summary>
    public string? Metadata(string name) => _request.Headers.TryGetValue(name, out StringValues values) && values.Count > 0 ? values[0] : null;

    /// <summary>Starts a call on a stream.</summary>
    /// <returns>OK, or the status with which the call is refused before its method sees it.</returns>
    public GrpcStatus Begin(IFeatureCollection features, MethodCounters counters, bool streaming)
    {
        _features = features;
        _request = features.GetRequiredFeature<IHttpRequestFeature>();
        _response = features.GetRequiredFeature<IHttpResponseFeature>();
        _reader = features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        _writer = features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer;
        _aborted = features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted;
        _counters = counters;
        _deadline = null;
        _heldBytes = 0;
        AnsweredAt = 0;
        ReadFailure = GrpcStatus.Ok;
        _hasSpoken = _hasEnded = false;
        _newcomer?.Wait();
        _response.Headers.ContentType = ContentType;
        if (_aborted.IsCancellationRequested)
        {
            // The client has taken it back already: nothing is read, since every read would throw.
            return new GrpcStatus(GrpcStatusCode.Canceled, "context canceled");
        }

        GrpcStatus refusal = ChooseEncoding();
        return refusal.IsOk ? StartDeadline(streaming) : refusal;
    }

    /// <summary>Reads the only message of a call whose request is one message.</summary>
    /// <returns>The message; null if there is none, see <see cref="ReadFailure"/>.</returns>
    public async ValueTask<T?> ReadOnlyMessageAsync<T>(MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        T? message = null;
        while (true)
        {
            ReadResult read = await _reader.ReadAsync(Cancelled);
            ReadOnlySequence<byte> bytes = read.Buffer;
            if (message is null && !bytes.IsEmpty && Parse(ref bytes, parser) is { } parsed)
            {
                message = parsed;
            }

            bool surplus = message is not null && !bytes.IsEmpty;
            bool ended = _hasEnded = read.IsCompleted;
            _reader.AdvanceTo(bytes.Start, bytes.End);
            if (!ReadFailure.IsOk || surplus || ended)
            {
                return Single(message, surplus, cut: !surplus && !bytes.IsEmpty);
            }
        }
    }

    /// <summary>Reads the next message of a stream.</summary>
    /// <returns>The message; null when the client has ended its side, or when reading failed, see <see cref="ReadFailure"/>.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancelled)
        where T : class, IMessage<T>
    {
        while (ReadFailure.IsOk)
        {
            ReadResult read = await _reader.ReadAsync(cancelled);
            ReadOnlySequence<byte> bytes = read.Buffer;
            T? message = Parse(ref bytes, parser);
            bool ended = _hasEnded = message is null && read.IsCompleted;
            bool cut = ended && !bytes.IsEmpty;
            _reader.AdvanceTo(bytes.Start, message is null ? bytes.End : bytes.Start);
            if (cut && ReadFailure.IsOk)
            {
                ReadFailure = new GrpcStatus(GrpcStatusCode.Internal, "unexpected EOF");
            }

            if (message is not null || ended)
            {
                return message;
            }
        }

        return null;
    }

    /// <summary>Writes a message into the output; <see cref="FlushAsync"/> sends it.</summary>
    /// <returns>Bytes of the message, without its head.</returns>
    public int Write<T>(T message, MessageWriter<T> write)
    {
        AnsweredAt = AnsweredAt == 0 ? _limits.Time.GetTimestamp() : AnsweredAt;
        int bytes = write(_writer, message);
        _limits.CountSent(bytes);
        _counters.CountSent();
        return bytes;
    }

    /// <summary>Where the rest of a message goes whose beginning was written.</summary>
    public IBufferWriter<byte> Rest => _writer;

    /// <summary>Sends what was written; waits while the client does not read.</summary>
    /// <exception cref="OperationCanceledException">The call was cancelled meanwhile.</exception>
    public ValueTask<FlushResult> FlushAsync() => _writer.FlushAsync(Cancelled);

    /// <summary>
    /// Sends a part of a message, whatever the call's time limit is: a client whose limit passes takes the call back by itself. One that was told of the end of a call in the middle of a message
    /// would take the message for broken.
    /// </summary>
    /// <exception cref="OperationCanceledException">The client went away meanwhile.</exception>
    public ValueTask<FlushResult> FlushPartAsync() => _writer.FlushAsync(_aborted);

    /// <summary>Ends the call. Nothing may be written afterwards.</summary>
    public void End(GrpcStatus status)
    {
        IHttpResponseTrailersFeature? trailers = null;
        Microsoft.AspNetCore.Http.IHeaderDictionary target = _response.Headers;
        if (status.IsOk || _response.HasStarted)
        {
            trailers = _features.GetRequiredFeature<IHttpResponseTrailersFeature>();
            target = trailers.Trailers;
        }

        target.GrpcStatus = status.IsOk ? OkText : CodeTexts[(int)status.Code];
        if (status.Message.Length > 0)
        {
            target.GrpcMessage = PercentText.Encode(status.Message);
        }
    }

    /// <summary>Gives back what the call held.</summary>
    public void Release()
    {
        if (!_hasSpoken && (_hasEnded || _aborted.IsCancellationRequested))
        {
            _newcomer?.NoteEmptyCall();
        }

        _newcomer?.Hold(ref _heldBytes, 0);
        _deadline?.Dispose();
        _deadline = null;
    }

    /// <summary>Why the call was cancelled.</summary>
    public GrpcStatus CancelledStatus()
    {
        if (_aborted.IsCancellationRequested)
        {
            return new GrpcStatus(GrpcStatusCode.Canceled, "context canceled");
        }

        return Stopping ? new GrpcStatus(GrpcStatusCode.Unavailable, "etcdserver: server stopped") : new GrpcStatus(GrpcStatusCode.DeadlineExceeded, "context deadline exceeded");
    }

    private GrpcStatus ChooseEncoding()
    {
        string? encoding = _request.Headers.GrpcEncoding;
        _compressed = encoding == Gzip.Name;
        if (encoding is null or "identity" || _compressed)
        {
            return GrpcStatus.Ok;
        }

        _response.Headers.GrpcAcceptEncoding = "identity,gzip";
        return new GrpcStatus(GrpcStatusCode.Unimplemented, $"grpc: Decompressor is not installed for grpc-encoding \"{encoding}\"");
    }

    private GrpcStatus StartDeadline(bool streaming)
    {
        string? text = _request.Headers.GrpcTimeout;
        TimeSpan timeout = System.Threading.Timeout.InfiniteTimeSpan;
        if (text is not null)
        {
            if (!GrpcTimeout.TryParse(text, out timeout))
            {
                return new GrpcStatus(GrpcStatusCode.Internal, $"malformed grpc-timeout: \"{text}\"");
            }

            // Timers take at most 49 days; who waits longer does not need one.
            timeout = timeout.TotalDays > 49 ? System.Threading.Timeout.InfiniteTimeSpan : timeout;
        }

        if (streaming)
        {
            _deadline = CancellationTokenSource.CreateLinkedTokenSource(_aborted, _limits.Stopping);
            _deadline.CancelAfter(timeout);
        }
        else if (timeout != System.Threading.Timeout.InfiniteTimeSpan)
        {
            _deadline = CancellationTokenSource.CreateLinkedTokenSource(_aborted);
            _deadline.CancelAfter(timeout);
        }

        return GrpcStatus.Ok;
    }

    private T? Single<T>(T? message, bool surplus, bool cut)
        where T : class
    {
        if (!ReadFailure.IsOk)
        {
            return null;
        }

        if (surplus)
        {
            ReadFailure = new GrpcStatus(GrpcStatusCode.Internal, "grpc: a unary call carried more than one message");
        }
        else if (message is null)
        {
            ReadFailure = new GrpcStatus(GrpcStatusCode.Internal, cut ? "unexpected EOF" : "grpc: a unary call carried no message");
        }

        return surplus ? null : message;
    }

    private T? Parse<T>(ref ReadOnlySequence<byte> bytes, MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        FrameOutcome outcome = Framing.TryRead(ref bytes, (uint)_limits.MessageBytesMax, out FrameHead head, out ReadOnlySequence<byte> payload);
        if (outcome == FrameOutcome.Incomplete)
        {
            _newcomer?.Hold(ref _heldBytes, bytes.Length);
            return null;
        }

        _hasSpoken = true;
        _newcomer?.Prove();
        switch (outcome)
        {
            case FrameOutcome.TooLarge:
                ReadFailure = new GrpcStatus(GrpcStatusCode.ResourceExhausted, $"grpc: received message larger than max ({head.Length} vs. {_limits.MessageBytesMax})");
                return null;
            case FrameOutcome.BadFlag:
                ReadFailure = new GrpcStatus(GrpcStatusCode.Internal, $"grpc: received unexpected payload format {head.Flag}");
                return null;
        }

        _limits.CountReceived(payload.Length);
        _counters.CountReceived();
        if (head.Compressed && !TryInflate(ref payload))
        {
            return null;
        }

        try
        {
            return parser.ParseGuarded(payload);
        }
        catch (InvalidProtocolBufferException e)
        {
            ReadFailure = new GrpcStatus(GrpcStatusCode.Internal, $"grpc: error unmarshalling request: {e.Message}");
            return null;
        }
    }

    private bool TryInflate(ref ReadOnlySequence<byte> payload)
    {
        if (!_compressed)
        {
            ReadFailure = new GrpcStatus(GrpcStatusCode.Internal, "grpc: compressed flag set with identity or empty encoding");
            return false;
        }

        InflateOutcome outcome = Gzip.TryInflate(payload, _limits.MessageBytesMax, out byte[] inflated);
        payload = new ReadOnlySequence<byte>(inflated);
        ReadFailure = outcome switch
        {
            InflateOutcome.Complete => GrpcStatus.Ok,
            InflateOutcome.TooLarge => new GrpcStatus(
                GrpcStatusCode.ResourceExhausted,
                $"grpc: received message after decompression larger than max ({_limits.MessageBytesMax + 1} vs. {_limits.MessageBytesMax})"),
            _ => new GrpcStatus(GrpcStatusCode.Internal, "grpc: failed to decompress the received message: not gzip"),
        };
        return ReadFailure.IsOk;
    }
}
