using System.IO.Pipelines;
using Cairn.Grpc;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Gateway;

/// <summary>A gRPC call that never saw a socket: what the gateway hands to the server in place of a stream of HTTP/2.</summary>
/// <remarks>
/// The gateway writes request messages to <see cref="Requests"/> and reads answers from <see cref="Answers"/>, framed as on the wire; so services,
/// limits, counters and cancellation are the same for both ways in.
/// </remarks>
internal sealed class InnerCall : IRequestBodyPipeFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IHttpResponseTrailersFeature
{
    private const string MetadataPrefix = "Grpc-Metadata-";

    private readonly Pipe _requests = new();
    private readonly Pipe _answers = new();
    private readonly CancellationTokenSource _aborted;
    private readonly HttpResponseFeature _response = new();

    /// <summary>Prepares a call.</summary>
    /// <param name="path">"/package.Service/Method".</param>
    /// <param name="outer">The request of HTTP/1.1 that it stands for.</param>
    /// <param name="outerAborted">Signalled when that request's client went away.</param>
    public InnerCall(string path, IHttpRequestFeature outer, CancellationToken outerAborted)
    {
        _aborted = CancellationTokenSource.CreateLinkedTokenSource(outerAborted);
        RequestAborted = _aborted.Token;
        var request = new HttpRequestFeature { Method = "POST", Path = path, Protocol = "HTTP/2", Headers = MetadataOf(outer.Headers) };
        Features.Set<IHttpRequestFeature>(request);
        Features.Set<IHttpResponseFeature>(_response);
        Features.Set<IRequestBodyPipeFeature>(this);
        Features.Set<IHttpResponseBodyFeature>(this);
        Features.Set<IHttpRequestLifetimeFeature>(this);
        Features.Set<IHttpResponseTrailersFeature>(this);
    }

    /// <summary>What the server sees of the call.</summary>
    public FeatureCollection Features { get; } = new();

    /// <summary>Where request messages go; completing it ends the client's side.</summary>
    public PipeWriter Requests => _requests.Writer;

    /// <summary>Where answers come from.</summary>
    public PipeReader Answers => _answers.Reader;

    /// <summary>How the call ended; meaningful once the server has carried it out.</summary>
    public GrpcStatus Status
    {
        get
        {
            var from = Trailers.GrpcStatus.Count > 0 ? Trailers : _response.Headers;
            return int.TryParse(from.GrpcStatus, out var code)
                ? new GrpcStatus((GrpcStatusCode)code, PercentText.Decode(from.GrpcMessage.ToString()))
                : new GrpcStatus(GrpcStatusCode.Internal, "the call ended without a status");
        }
    }

    /// <inheritdoc/>
    PipeReader IRequestBodyPipeFeature.Reader => _requests.Reader;

    /// <inheritdoc/>
    Stream IHttpResponseBodyFeature.Stream => _answers.Writer.AsStream();

    /// <inheritdoc/>
    PipeWriter IHttpResponseBodyFeature.Writer => _answers.Writer;

    /// <inheritdoc/>
    public CancellationToken RequestAborted { get; set; }

    /// <inheritdoc/>
    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    /// <inheritdoc/>
    public void Abort() => _aborted.Cancel();

    /// <summary>Ends the pipes once the server has carried the call out: the reader of the answers sees the end, a writer of requests is let go.</summary>
    public void Complete()
    {
        _answers.Writer.Complete();
        _requests.Reader.Complete();
    }

    /// <inheritdoc/>
    void IHttpResponseBodyFeature.DisableBuffering()
    {
    }

    /// <inheritdoc/>
    Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    Task IHttpResponseBodyFeature.CompleteAsync() => Task.CompletedTask;

    /// <inheritdoc/>
    Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
        throw Invariant.Unreachable($"no handler of a gRPC call sends a file ({path})");

    /// <summary>Metadata of the inner call: the authorization as it is, every Grpc-Metadata-X as X, and the mark of the gateway.</summary>
    private static IHeaderDictionary MetadataOf(IHeaderDictionary outer)
    {
        IHeaderDictionary metadata = new HeaderDictionary();
        metadata.ContentType = "application/grpc";
        metadata["grpcgateway-accept"] = outer.Accept.Count > 0 ? outer.Accept : "*/*";
        if (outer.Authorization.Count > 0)
        {
            metadata.Authorization = outer.Authorization;
        }

        foreach (var (name, value) in outer)
        {
            if (name.StartsWith(MetadataPrefix, StringComparison.OrdinalIgnoreCase))
            {
                metadata[name[MetadataPrefix.Length..]] = value;
            }
        }

        return metadata;
    }
}
