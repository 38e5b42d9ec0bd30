using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cairn.EndToEnd.Harness;
using Google.Protobuf;

namespace Cairn.EndToEnd.Differential;

/// <summary>One of the two servers, and the connections over which it is asked.</summary>
internal sealed class Contestant : IAsyncDisposable
{
    private const int FrameBytes = 5;

    // An answer that takes longer is none; only a server that hangs lets it pass.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

    private readonly Server _server;
    private readonly HttpClient _client;
    private readonly Dictionary<string, string> _tokens = [];

    private Contestant(Server server)
    {
        _server = server;
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://{server.Endpoint}"), Timeout = Patience };
    }

    /// <summary>Starts a server in a directory of its own.</summary>
    /// <param name="program">The program.</param>
    /// <param name="directory">Its data directory.</param>
    /// <returns>The server, ready.</returns>
    public static async Task<Contestant> StartAsync(string program, string directory)
    {
        var server = new Server(directory, "--bcrypt-cost", "4", "--log-level", "error", "--heartbeat-interval", "50", "--election-timeout", "500") { Program = program };
        server.Launch();
        var contestant = new Contestant(server);
        await contestant.ReadyAsync();
        return contestant;
    }

    /// <summary>Asks for a token of a user, for what is asked as that user from now on.</summary>
    /// <param name="user">The user.</param>
    /// <param name="password">The password.</param>
    public async Task LogInAsync(string user, string password)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["name"] = user, ["password"] = password });
        var reply = await AskAsync(new Question { Path = "/v3/auth/authenticate", IsJson = true, Body = body, Shown = "" });
        _tokens[user] = (reply.Body as JsonObject)?["token"]?.ToString() ?? "none";
    }

    /// <summary>Asks a question.</summary>
    /// <param name="question">The question.</param>
    /// <returns>The answer.</returns>
    public async Task<Reply> AskAsync(Question question)
    {
        using var request = new HttpRequestMessage(new HttpMethod(question.Verb), question.Path)
        {
            Version = question.IsJson ? HttpVersion.Version11 : HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (question.Verb != "GET")
        {
            request.Content = new ByteArrayContent(question.Body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(question.IsJson ? "application/json" : "application/grpc");
        }

        if (question.User.Length > 0)
        {
            request.Headers.TryAddWithoutValidation(question.IsJson ? "Authorization" : "token", _tokens.GetValueOrDefault(question.User, question.User));
        }

        if (!question.IsJson)
        {
            request.Headers.TE.ParseAdd("trailers");
        }

        try
        {
            using var response = await _client.SendAsync(request);
            var bytes = await response.Content.ReadAsByteArrayAsync();
            return question.IsJson ? OfJson((int)response.StatusCode, bytes) : OfGrpc(question, response, bytes);
        }
        catch (HttpRequestException e)
        {
            return new Reply(0, -1, $"{Reply.NoAnswer}: {e.Message}", null);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    private async Task ReadyAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                // Once it has told itself where clients find it, it has also elected itself.
                using var members = await _client.PostAsync("/v3/cluster/member/list", new StringContent("{}"));
                if (members.StatusCode == HttpStatusCode.OK && (await members.Content.ReadAsStringAsync()).Contains("clientURLs", StringComparison.Ordinal))
                {
                    return;
                }
            }
            catch (HttpRequestException) when (TimeProvider.System.GetElapsedTime(began) < Patience)
            {
                // It does not listen yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    private static Reply OfJson(int status, byte[] bytes)
    {
        var text = Encoding.UTF8.GetString(bytes);
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            // A page, not a message: its text is what counts.
            return new Reply(status, -1, text.Trim(), null);
        }

        if (status == (int)HttpStatusCode.OK)
        {
            return new Reply(status, 0, "", node);
        }

        var refusal = node as JsonObject;
        refusal = refusal?["error"] as JsonObject ?? refusal;
        var code = int.TryParse((refusal?["grpc_code"] ?? refusal?["code"])?.ToString(), out var number) ? number : -1;
        return new Reply(status, code, refusal?["message"]?.ToString() ?? text, null);
    }

    private static Reply OfGrpc(Question question, HttpResponseMessage response, byte[] bytes)
    {
        var code = Trailer(response, "grpc-status");
        var text = Uri.UnescapeDataString(Trailer(response, "grpc-message") ?? "");
        JsonNode? body = null;
        if (code == "0" && question.Method is { } method && bytes.Length >= FrameBytes)
        {
            body = JsonNode.Parse(Formatter.Format(method.OutputType.Parser.ParseFrom(bytes.AsSpan(FrameBytes).ToArray())));
        }

        return new Reply((int)response.StatusCode, int.TryParse(code, out var number) ? number : -1, text, body);
    }

    private static string? Trailer(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out var values) || response.Headers.TryGetValues(name, out values) ? values.First() : null;
}
