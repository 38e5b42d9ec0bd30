using System.Net;
using System.Text.Json;
using Cairn.Host.Logging;
using Cairn.Server;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Operations;

/// <summary>
/// What is changed while the member runs, until its process ends: <c>PUT /config/local/log</c> with <c>{"Level":"DEBUG"}</c>, and
/// <c>PUT /config/local/quota</c> with <c>{"QuotaBackendBytes":8589934592}</c>, of this member alone.
/// </summary>
/// <remarks>Source of the first: etcd 3.4, server/etcdserver/api/etcdhttp/base.go (logHandleFunc). While authentication is on, only the machine itself may ask.</remarks>
internal sealed class LocalSettings(Node node, ZapLoggerFactory loggers)
{
    /// <summary>The log level.</summary>
    public const string LogPath = "/config/local/log";

    /// <summary>The quota.</summary>
    public const string QuotaPath = "/config/local/quota";

    // The whole of it is a word.
    private const int BodyBytesMax = 1024;

    /// <summary>Answers.</summary>
    /// <param name="exchange">The request; its path is one of those above.</param>
    public async ValueTask<PageAnswer> AnswerAsync(WebExchange exchange)
    {
        if (exchange.Method != "PUT")
        {
            PageAnswer error = PageAnswer.Error(405, "Method Not Allowed");
            return error with { Headers = [.. error.Headers, new("Allow", "PUT")] };
        }

        if (node.Auth.IsEnabled && exchange.Features.Get<IHttpConnectionFeature>()?.RemoteIpAddress is { } remote && !IPAddress.IsLoopback(remote))
        {
            return PageAnswer.Error(403, "while authentication is on, settings are changed from the machine itself");
        }

        return await ReadAsync(exchange, exchange.Path == LogPath ? "Level" : "QuotaBackendBytes") is not { } value ? PageAnswer.Error(400, "Invalid json body")
            : exchange.Path == LogPath ? ChangeLevel(value) : ChangeQuota(value);
    }

    private PageAnswer ChangeLevel(JsonElement value)
    {
        string? word = value.ValueKind == JsonValueKind.String ? value.GetString()?.ToLowerInvariant() : null;
        if (word is null)
        {
            return PageAnswer.Error(400, "Invalid json body");
        }

        if (word is not ("debug" or "info" or "warn" or "error" or "dpanic" or "panic" or "fatal"))
        {
            return PageAnswer.Error(400, "Invalid log level string");
        }

        loggers.Level = ZapLoggerFactory.LevelOf(word);
        return PageAnswer.Text(204, "");
    }

    private PageAnswer ChangeQuota(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out long bytes))
        {
            return PageAnswer.Error(400, "QuotaBackendBytes must be a whole number of bytes, as for --quota-backend-bytes: 0 is the default, below it is no limit");
        }

        node.ChangeQuota(bytes);
        return PageAnswer.Text(204, "");
    }

    private static async ValueTask<JsonElement?> ReadAsync(WebExchange exchange, string field)
    {
        var reader = exchange.Features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        var read = await reader.ReadAtLeastAsync(BodyBytesMax, exchange.Aborted);
        try
        {
            using var body = JsonDocument.Parse(read.Buffer.Slice(0, Math.Min(read.Buffer.Length, BodyBytesMax)));
            return body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty(field, out JsonElement value) ? value.Clone() : null;
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
