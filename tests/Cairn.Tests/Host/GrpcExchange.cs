using System.Buffers;
using System.IO.Pipelines;
using Cairn.Grpc;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace Cairn.Tests.Host;

/// <summary>One HTTP/2 stream as the web server would give it, on pipes in memory.</summary>
internal sealed class GrpcExchange : IRequestBodyPipeFeature, IHttpResponseTrailersFeature, IHttpRequestLifetimeFeature, IDisposable
{
    private readonly Pipe _request = new();
    private readonly ArrayBufferWriter<byte> _answer = new();
    private readonly CancellationTokenSource _aborted = new();
    private readonly HttpResponseFeature _response = new();

    public GrpcExchange(params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestFeature { Method = "POST", Protocol = "HTTP/2" };
        foreach ((string name, string value) in headers)
        {
            request.Headers[name] = value;
        }

        Features.Set<IHttpRequestFeature>(request);
        Features.Set<IHttpResponseFeature>(_response);
        Features.Set<IRequestBodyPipeFeature>(this);
        Features.Set<IHttpResponseTrailersFeature>(this);
        Features.Set<IHttpRequestLifetimeFeature>(this);
        Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(new AnswerStream(_answer)));
    }

    public FeatureCollection Features { get; } = new();

    public PipeWriter Client => _request.Writer;

    PipeReader IRequestBodyPipeFeature.Reader => _request.Reader;

    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    public CancellationToken RequestAborted
    {
        get => _aborted.Token;
        set => throw new NotSupportedException();
    }

    public string? StatusCode => (string?)Trailers["grpc-status"] ?? _response.Headers["grpc-status"];

    public string? StatusMessage => (string?)Trailers["grpc-message"] ?? _response.Headers["grpc-message"];

    public IHeaderDictionary AnswerHeaders => _response.Headers;

    public void Dispose() => _aborted.Dispose();

    public void Abort() => _aborted.Cancel();

    public async Task SendAsync(IMessage message, bool last = true)
    {
        Framing.Write(Client, message);
        await EndOrFlushAsync(last);
    }

    public async Task SendBytesAsync(byte[] bytes, bool last = true)
    {
        Client.Write(bytes);
        await EndOrFlushAsync(last);
    }

    public List<T> Answers<T>(MessageParser<T> parser)
        where T : IMessage<T>
    {
        Features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.FlushAsync().AsTask().GetAwaiter().GetResult();
        var answers = new List<T>();
        var bytes = new ReadOnlySequence<byte>(_answer.WrittenMemory);
        while (Framing.TryRead(ref bytes, uint.MaxValue, out _, out ReadOnlySequence<byte> message) == FrameOutcome.Complete)
        {
            answers.Add(parser.ParseFrom(message));
        }

        Assert.True(bytes.IsEmpty);
        return answers;
    }

    private async Task EndOrFlushAsync(bool last)
    {
        if (last)
        {
            await Client.CompleteAsync();
        }
        else
        {
            await Client.FlushAsync();
        }
    }

    private sealed class AnswerStream(ArrayBufferWriter<byte> answer) : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => answer.Write(buffer.AsSpan(offset, count));

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            answer.Write(buffer.Span);
            return ValueTask.CompletedTask;
        }
    }
}
