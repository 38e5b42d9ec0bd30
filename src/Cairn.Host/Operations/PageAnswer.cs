namespace Cairn.Host.Operations;

/// <summary>A whole answer over HTTP.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="ContentType">Content type.</param>
/// <param name="Body">The body.</param>
internal sealed record PageAnswer(int Status, string ContentType, ReadOnlyMemory<byte> Body)
{
    /// <summary>The content type that Go gives to plain text.</summary>
    public const string PlainText = "text/plain; charset=utf-8";

    /// <summary>Further headers.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Plain text.</summary>
    public static PageAnswer Text(int status, string text) => new(status, PlainText, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>JSON.</summary>
    public static PageAnswer Json(string json) => new(200, "application/json", System.Text.Encoding.UTF8.GetBytes(json));

    /// <summary>An error as Go's http.Error writes it: the text and a line end, not to be taken for anything else.</summary>
    public static PageAnswer Error(int status, string text) => Text(status, text + "\n") with { Headers = [new("X-Content-Type-Options", "nosniff")] };

    /// <summary>The refusal of any method but GET.</summary>
    public static PageAnswer OnlyGet()
    {
        PageAnswer error = Error(405, "Method Not Allowed");
        return error with { Headers = [.. error.Headers, new("Allow", "GET")] };
    }

    /// <summary>The answer to a path that does not exist.</summary>
    public static PageAnswer NotFound() => Error(404, "404 page not found");
}
