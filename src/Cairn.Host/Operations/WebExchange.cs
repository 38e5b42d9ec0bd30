using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Operations;

/// <summary>One request over HTTP that is no gRPC call.</summary>
/// <param name="features">The request, as the web server gives it.</param>
internal sealed class WebExchange(IFeatureCollection features)
{
    private const int NoContent = 204;

    private readonly IHttpRequestFeature _request = features.GetRequiredFeature<IHttpRequestFeature>();
    private readonly IHttpResponseFeature _response = features.GetRequiredFeature<IHttpResponseFeature>();

    /// <summary>The method.</summary>
    public string Method => _request.Method;

    /// <summary>The path, unescaped.</summary>
    public string Path => _request.Path;

    /// <summary>The query.</summary>
    public PageQuery Query => new(_request.QueryString);

    /// <summary>Signalled when the client went away.</summary>
    public CancellationToken Aborted => features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted;

    /// <summary>What the web server offers beyond this.</summary>
    public IFeatureCollection Features => features;

    /// <summary>A request header; null if absent.</summary>
    public string? Header(string name) => _request.Headers.TryGetValue(name, out Microsoft.Extensions.Primitives.StringValues values) && values.Count > 0 ? values[0] : null;

    /// <summary>Sets a header of the answer.</summary>
    public void SetHeader(string name, string value) => _response.Headers[name] = value;

    /// <summary>Sends a whole answer.</summary>
    public async ValueTask AnswerAsync(PageAnswer answer)
    {
        _response.StatusCode = answer.Status;
        bool hasBody = answer.Status != NoContent;
        if (hasBody)
        {
            _response.Headers.ContentType = answer.ContentType;
            _response.Headers.ContentLength = answer.Body.Length;
        }

        foreach ((string name, string value) in answer.Headers)
        {
            _response.Headers[name] = value;
        }

        var body = features.GetRequiredFeature<IHttpResponseBodyFeature>();
        if (hasBody && Method != "HEAD")
        {
            await body.Writer.WriteAsync(answer.Body, Aborted);
        }
    }
}
