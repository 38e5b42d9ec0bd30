using System.Net;
using System.Text.Json;
using Cairn.Host.Logging;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Operations;

/// <summary><c>PUT /config/local/log</c> with <c>{"Level":"DEBUG"}</c>: another log level, until the process ends.</summary>
/// <remarks>Source: etcd 3.4, server/etcdserver/api/etcdhttp/base.go (logHandleFunc). While authentication is on, only the machine itself may ask.</remarks>
internal sealed class LogLevelPage(ZapLoggerFactory loggers)
{
    /// <summary>The path.</summary>
    public const string Path = "/config/local/log";

    // The whole of it is a word.
    private const int BodyBytesMax = 1024;

    /// <summary>Answers.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="onlyLocal">Whether others than this machine are refused.</param>
    public async ValueTask<PageAnswer> AnswerAsync(WebExchange exchange, bool onlyLocal)
    {
        if (exchange.Method != "PUT")
        {
            PageAnswer error = PageAnswer.Error(405, "Method Not Allowed");
            return error with { Headers = [.. error.Headers, new("Allow", "PUT")] };
        }

        if (onlyLocal && exchange.Features.Get<IHttpConnectionFeature>()?.RemoteIpAddress is { } remote && !IPAddress.IsLoopback(remote))
        {
            return PageAnswer.Error(403, "while authentication is on, the log level is changed from the machine itself");
        }

        return await ReadAsync(exchange) is not { } word ? PageAnswer.Error(400, "Invalid json body")
            : Change(word) ? PageAnswer.Text(204, "")
            : PageAnswer.Error(400, "Invalid log level string");
    }

    private bool Change(string word)
    {
        if (word.ToLowerInvariant() is not ("debug" or "info" or "warn" or "error" or "dpanic" or "panic" or "fatal"))
        {
            return false;
        }

        loggers.Level = ZapLoggerFactory.LevelOf(word.ToLowerInvariant());
        return true;
    }

    private static async ValueTask<string?> ReadAsync(WebExchange exchange)
    {
        var reader = exchange.Features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        var read = await reader.ReadAtLeastAsync(BodyBytesMax, exchange.Aborted);
        try
        {
            using var body = JsonDocument.Parse(read.Buffer.Slice(0, Math.Min(read.Buffer.Length, BodyBytesMax)));
            return body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty("Level", out JsonElement level) && level.ValueKind == JsonValueKind.String
                ? level.GetString()
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is said of text that is not UTF-8.
            return null;
        }
        finally
        {
            reader.AdvanceTo(read.Buffer.End);
        }
    }
}
