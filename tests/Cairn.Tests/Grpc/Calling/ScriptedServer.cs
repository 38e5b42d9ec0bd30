using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Cairn.Grpc;
using Google.Protobuf;

namespace Cairn.Tests.Grpc.Calling;

/// <summary>Stands in for the network: each request is answered by a script, message by message. Any thread.</summary>
/// <param name="script">Answers a call; an exception before the first answer is one of the connection.</param>
internal sealed class ScriptedServer(Func<ScriptedCall, Task> script) : HttpMessageHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var call = new ScriptedCall(request, cancellationToken);
        call.Run(script);
        return await call.Response.WaitAsync(cancellationToken);
    }
}

/// <summary>One call, as its server sees it. Owned by its script.</summary>
internal sealed class ScriptedCall
{
    private readonly Pipe _requestBody = new();
    private readonly Pipe _responseBody = new();
    private readonly TaskCompletionSource<HttpResponseMessage> _response = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lazy<HttpResponseMessage> _message;

    public ScriptedCall(HttpRequestMessage request, CancellationToken cancelled)
    {
        Request = request;
        Cancelled = cancelled;
        _message = new Lazy<HttpResponseMessage>(CreateResponse);
    }

    public HttpRequestMessage Request { get; }

    public string Path => Request.RequestUri?.AbsolutePath ?? "";

    public int Port => Request.RequestUri?.Port ?? 0;

    public CancellationToken Cancelled { get; }

    public Task<HttpResponseMessage> Response => _response.Task;

    /// <summary>Completes when the request's side of the call has ended, and nothing can be written any more.</summary>
    public Task RequestEnded { get; private set; } = Task.CompletedTask;

    public string? Header(string name) => Request.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    public async Task<T> ReadAsync<T>(MessageParser<T> parser)
        where T : IMessage<T>
    {
        while (true)
        {
            var read = await _requestBody.Reader.ReadAsync();
            var bytes = read.Buffer;
            if (Framing.TryRead(ref bytes, int.MaxValue, out _, out var message) == FrameOutcome.Complete)
            {
                var parsed = parser.ParseFrom(message);
                _requestBody.Reader.AdvanceTo(bytes.Start);
                return parsed;
            }

            if (read.IsCompleted)
            {
                throw new InvalidOperationException("the client sent no further message");
            }

            _requestBody.Reader.AdvanceTo(bytes.Start, bytes.End);
        }
    }

    public Task WriteAsync(IMessage message)
    {
        Framing.Write(_responseBody.Writer, message);
        return WriteRawAsync([]);
    }

    public async Task WriteRawAsync(byte[] bytes)
    {
        // The client has to have the answer before it can read it, and what it does not read fills the pipe.
        _response.TrySetResult(_message.Value);
        await _responseBody.Writer.WriteAsync(bytes);
        await _responseBody.Writer.FlushAsync();
    }

    public void End(GrpcStatusCode code, string text = "")
    {
        _message.Value.TrailingHeaders.TryAddWithoutValidation("grpc-status", $"{(int)code}");
        _message.Value.TrailingHeaders.TryAddWithoutValidation("grpc-message", PercentText.Encode(text));
        EndWithoutStatus();
    }

    public void EndWithoutStatus()
    {
        _responseBody.Writer.Complete();
        _response.TrySetResult(_message.Value);
    }

    public void AnswerWith(Action<HttpResponseMessage> change)
    {
        change(_message.Value);
        EndWithoutStatus();
    }

    public void Break(Exception exception) => _responseBody.Writer.Complete(exception);

    public void Run(Func<ScriptedCall, Task> script)
    {
        RequestEnded = CopyRequestAsync();
        _ = RunAsync(script);
    }

    private HttpResponseMessage CreateResponse()
    {
        var content = new StreamContent(_responseBody.Reader.AsStream());
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = content };
    }

    private async Task CopyRequestAsync()
    {
        try
        {
            await (Request.Content ?? throw new InvalidOperationException("no content")).CopyToAsync(_requestBody.Writer.AsStream(), Cancelled);
        }
        catch (OperationCanceledException)
        {
            // The client ended the call.
        }

        await _requestBody.Writer.CompleteAsync();
    }

    private async Task RunAsync(Func<ScriptedCall, Task> script)
    {
        try
        {
            await script(this);
        }
        catch (Exception e)
        {
            if (!_response.TrySetException(e))
            {
                Break(new IOException("the script failed", e));
            }
        }
    }
}
