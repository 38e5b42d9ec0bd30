using System.Text.Json;
using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Host.Peers;
using Cairn.Server.Peers;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Operations;

/// <summary>What is served while there is no node yet: that the process lives, and for what it waits. Other members are answered as far as that goes.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class WaitingPages(Reception reception)
{
    private readonly MethodCounters _counters = new();

    /// <summary>All of it.</summary>
    public Stage Stage => new() { Grpc = RefuseAsync, Client = ServeAsync, Metrics = ServeAsync, Peers = ServePeerAsync };

    private string Reason => reception.Waiting is { } reason ? $"the member waits: {reason}" : "the member starts";

    private Task RefuseAsync(IFeatureCollection features, string path, GrpcCall call)
    {
        call.Begin(features, _counters, streaming: false);
        call.End(new GrpcStatus(GrpcStatusCode.Unavailable, $"cairn: {Reason}"));
        return Task.CompletedTask;
    }

    private async Task ServeAsync(IFeatureCollection features)
    {
        var exchange = new WebExchange(features);
        await exchange.AnswerAsync(exchange.Path switch
        {
            "/livez" or "/livez/serializable_read" => PageAnswer.Text(200, "ok\n"),
            "/health" => PageAnswer.Error(503, $$"""{"health":"false","reason":"{{JsonEncodedText.Encode(Reason)}}"}"""),
            var path when path.StartsWith("/readyz", StringComparison.Ordinal) => PageAnswer.Error(503, $"[-]serving failed: {Reason}\n"),
            "/version" => Version(),
            _ => PageAnswer.Error(503, Reason),
        });
    }

    private async Task ServePeerAsync(IFeatureCollection features)
    {
        var exchange = new WebExchange(features);
        if (exchange.Path.StartsWith("/raft", StringComparison.Ordinal) && exchange.Header(PeerHeaders.Urls) is { Length: > 0 } urls)
        {
            reception.NoteCaller(urls.Split(','));
        }

        await exchange.AnswerAsync(exchange switch
        {
            { Path: "/version" } => Version(),
            { Method: "POST" } => await AskAsync(exchange),
            _ => PageAnswer.Error(503, Reason),
        });
    }

    private static PageAnswer Version() =>
        PageAnswer.Json($$"""{"etcdserver":"{{Versions.Etcd}}","etcdcluster":"not_decided","storage":"{{Versions.Storage}}"}""");

    private async ValueTask<PageAnswer> AskAsync(WebExchange exchange)
    {
        if (await PeerPages.ReadCallAsync(exchange) is not { } call)
        {
            return PageAnswer.Error(503, Reason);
        }

        PeerAnswer answer = await reception.AnswerAsync(call, exchange.Aborted);
        if (answer.Status == 200)
        {
            return new PageAnswer(200, "application/protobuf", answer.Body);
        }

        // Who asks a certain member must not take this for its last word: that one may live on elsewhere.
        PeerAnswer refusal = call.To == 0 ? PeerAnswer.Refuse(503, Reason) : PeerAnswer.Misdirected(Reason);
        return PageAnswer.Error(refusal.Status, refusal.Text);
    }
}
