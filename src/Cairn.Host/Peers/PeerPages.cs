using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using Cairn.Host.Operations;
using Cairn.Server;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Peers;

/// <summary>What is served to the other members, on the peer port.</summary>
/// <remarks>Thread-safe. Source: etcd server/etcdserver/api/rafthttp/http.go, etcdhttp/peer.go.</remarks>
internal sealed class PeerPages(Node node, PeerLinks links, TimeProvider time, ILogger logger) : IDisposable
{
    private const string StreamPath = "/raft/stream/";

    // The core bounds appends to a megabyte and a proposal is smaller; etcd takes requests of this size.
    private const int BodyBytesMax = 64 << 20;

    // A third of the five seconds after which the other side takes a silent link for dead.
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(5.0 / 3);

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Ends the streams.</summary>
    public void Stop() => _stopping.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    /// <summary>Answers a request of a peer.</summary>
    public async Task ServeAsync(IFeatureCollection features)
    {
        var exchange = new WebExchange(features);
        if (exchange.Path.StartsWith(StreamPath, StringComparison.Ordinal))
        {
            await ServeStreamAsync(exchange);
            return;
        }

        exchange.SetHeader(PeerHeaders.Cluster, $"{node.ClusterId:x}");
        await exchange.AnswerAsync(exchange.Path switch
        {
            "/raft" => await TakeMessageAsync(exchange),
            "/raft/snapshot" => await TakeSnapshotAsync(exchange),
            "/raft/probing" => PageAnswer.Json($$"""{"OK":true,"Now":"{{time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffff00Z", CultureInfo.InvariantCulture)}}"}""" + "\n"),
            "/members" => exchange.Method == "GET" ? new PageAnswer(200, "application/json", node.DescribeMembers()) : PageAnswer.OnlyGet(),
            "/version" => exchange.Method == "GET" ? Version() : PageAnswer.OnlyGet(),
            "/downgrade/enabled" => exchange.Method == "GET" ? PageAnswer.Text(200, "false") : PageAnswer.OnlyGet(),
            _ => await AskNodeAsync(exchange),
        });
    }

    private static PageAnswer OnlyPost()
    {
        PageAnswer error = PageAnswer.Error(405, "Method Not Allowed");
        return error with { Headers = [.. error.Headers, new("Allow", "POST")] };
    }

    /// <summary>Reads a question.</summary>
    /// <returns>The question; null if it is too large, or does not say whom it asks as it should.</returns>
    internal static async ValueTask<PeerCall?> ReadCallAsync(WebExchange exchange)
    {
        ulong to = 0;
        return exchange.Header(PeerHeaders.To) is { Length: > 0 } text && !TryReadId(text, out to) ? null
            : await ReadBodyAsync(exchange) is { } body ? new PeerCall(exchange.Path, body) { To = to }
            : null;
    }

    /// <summary>Reads the body of a request.</summary>
    /// <returns>The body; null if it is too large.</returns>
    private static async ValueTask<byte[]?> ReadBodyAsync(WebExchange exchange)
    {
        var reader = exchange.Features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        while (true)
        {
            ReadResult read = await reader.ReadAsync(exchange.Aborted);
            if (read.Buffer.Length > BodyBytesMax)
            {
                return null;
            }

            if (read.IsCompleted)
            {
                byte[] body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private PageAnswer Version() => PageAnswer.Json(
        $$"""{"etcdserver":"{{Versions.Etcd}}","etcdcluster":"{{node.Look().ClusterVersion ?? "not_decided"}}","storage":"{{Versions.Storage}}"}""");

    private string? Refusal(WebExchange exchange) => PeerHeaders.Refusal(
        exchange.Header(PeerHeaders.Version), exchange.Header(PeerHeaders.VersionMin), exchange.Header(PeerHeaders.Cluster), node.ClusterId);

    private async ValueTask<PageAnswer> AskNodeAsync(WebExchange exchange)
    {
        bool asksForHash = exchange.Path == "/members/hashkv";
        if (exchange.Method != (asksForHash ? "GET" : "POST"))
        {
            return asksForHash ? PageAnswer.OnlyGet() : PageAnswer.NotFound();
        }

        if (asksForHash && exchange.Header(PeerHeaders.Cluster) is { Length: > 0 } cluster && cluster != $"{node.ClusterId:x}")
        {
            return PageAnswer.Error(412, "cluster ID mismatch");
        }

        // What members ask of each other needs what Raft's messages need; a directory without a place in this cluster may say who it is, and ask for one.
        if (PeerHeaders.IsOwnPath(exchange.Path) && !Node.IsForStrangers(exchange.Path) && Refusal(exchange) is { } refusal)
        {
            // Who asks a certain member has come to the wrong cluster, too.
            Log.PeerRefused(logger, exchange.Header(PeerHeaders.From) ?? "", refusal);
            return PageAnswer.Error(exchange.Header(PeerHeaders.To) is { Length: > 0 } ? PeerAnswer.Misdirected(refusal).Status : 412, refusal);
        }

        PeerAnswer answer = await ReadCallAsync(exchange) is { } call ? await node.AnswerPeerAsync(call, exchange.Aborted) : new PeerAnswer(400, default);
        return answer.Status switch
        {
            0 => PageAnswer.NotFound(),
            200 => new PageAnswer(200, exchange.Path.StartsWith("/members", StringComparison.Ordinal) ? "application/json" : "application/protobuf", answer.Body),
            _ => PageAnswer.Error(answer.Status, System.Text.Encoding.UTF8.GetString(answer.Body.Span)),
        };
    }

    private async ValueTask<PageAnswer> TakeMessageAsync(WebExchange exchange)
    {
        if (exchange.Method != "POST")
        {
            return OnlyPost();
        }

        if (Refusal(exchange) is { } refusal)
        {
            Log.PeerRefused(logger, exchange.Header(PeerHeaders.From) ?? "", refusal);
            return PageAnswer.Error(412, refusal);
        }

        IntroduceSender(exchange);
        byte[]? body = await ReadBodyAsync(exchange);
        return body is null ? PageAnswer.Error(400, "error reading raft message") : links.Receive(body, PeerSight.Parse(exchange.Header(PeerHeaders.Process))) switch
        {
            PeerDelivery.Taken => new PageAnswer(204, "", default),
            PeerDelivery.Forbidden => PageAnswer.Error(403, "forbidden"),
            _ => PageAnswer.Error(400, "error unmarshalling raft message"),
        };
    }

    /// <summary>Takes the state of a leader that is etcd: length of the message, the message, the backend file.</summary>
    private async ValueTask<PageAnswer> TakeSnapshotAsync(WebExchange exchange)
    {
        if (exchange.Method != "POST")
        {
            return OnlyPost();
        }

        if (Refusal(exchange) is { } refusal)
        {
            Log.PeerRefused(logger, exchange.Header(PeerHeaders.From) ?? "", refusal);
            return PageAnswer.Error(412, refusal);
        }

        IntroduceSender(exchange);
        if (!TryReadId(exchange.Header(PeerHeaders.From), out ulong from) || !node.Hears(from, PeerSight.Parse(exchange.Header(PeerHeaders.Process))))
        {
            return PageAnswer.Error(400, "this process is not heard for its member");
        }

        Stream body = exchange.Features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader.AsStream();
        byte[] head = new byte[sizeof(ulong)];
        try
        {
            await body.ReadExactlyAsync(head, exchange.Aborted);
            ulong length = BinaryPrimitives.ReadUInt64BigEndian(head);
            if (length > BodyBytesMax)
            {
                return PageAnswer.Error(400, "error reading raft message");
            }

            byte[] message = new byte[length];
            await body.ReadExactlyAsync(message, exchange.Aborted);
            PeerAnswer answer = await node.TakeBackendAsync(message, body, exchange.Aborted);
            return answer.Status == 204 ? new PageAnswer(204, "", default) : PageAnswer.Error(answer.Status, answer.Text);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return PageAnswer.Error(400, "error reading raft message");
        }
    }

    private void IntroduceSender(WebExchange exchange)
    {
        if (TryReadId(exchange.Header(PeerHeaders.From), out ulong from) && links.Find(from) is null && !node.IsRemovedMember(from)
            && exchange.Header(PeerHeaders.Urls) is { Length: > 0 } urls)
        {
            links.Introduce(new PeerAddress(from, urls.Split(',')));
        }
    }

    private static bool TryReadId(string? text, out ulong id) => ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id);

    private async Task ServeStreamAsync(WebExchange exchange)
    {
        // On every answer, errors included: without it etcd takes this for version 2.
        exchange.SetHeader(PeerHeaders.Version, Versions.Etcd);
        exchange.SetHeader(PeerHeaders.Process, node.Sight.ToString());
        exchange.SetHeader(PeerHeaders.Cluster, $"{node.ClusterId:x}");
        if (Judge(exchange, out PeerLink? link, out PeerTraffic traffic) is { } refusal)
        {
            await exchange.AnswerAsync(refusal);
            return;
        }

        if (link!.OpenStream(traffic) is not { } outlet)
        {
            await exchange.AnswerAsync(PageAnswer.Error(404, "error sender not found"));
            return;
        }

        try
        {
            await FeedAsync(exchange, outlet);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The other side went away, or this one stops.
        }
        finally
        {
            link.CloseStream(outlet);
        }
    }

    private PageAnswer? Judge(WebExchange exchange, out PeerLink? link, out PeerTraffic traffic)
    {
        link = null;
        string[] path = exchange.Path[StreamPath.Length..].Split('/');
        traffic = path[0] == "msgapp" ? PeerTraffic.Appends : PeerTraffic.Messages;
        if (exchange.Method != "GET")
        {
            return PageAnswer.OnlyGet();
        }

        if (Refusal(exchange) is { } refusal)
        {
            Log.PeerRefused(logger, exchange.Header(PeerHeaders.From) ?? "", refusal);
            return PageAnswer.Error(412, refusal);
        }

        if (path.Length != 2 || path[0] is not ("msgapp" or "message"))
        {
            return PageAnswer.Error(404, "invalid path");
        }

        if (!TryReadId(path[1], out ulong from))
        {
            return PageAnswer.Error(404, "invalid from");
        }

        if (node.IsRemovedMember(from))
        {
            return PageAnswer.Error(410, "removed member");
        }

        if (!node.Hears(from, PeerSight.Parse(exchange.Header(PeerHeaders.Process))))
        {
            return PageAnswer.Error(403, "this process is not heard for its member");
        }

        link = links.Find(from);
        if (link is null or { IsProvisional: true })
        {
            IntroduceSender(exchange);
            return PageAnswer.Error(404, "error sender not found");
        }

        return exchange.Header(PeerHeaders.To) == $"{node.MemberId:x}" ? null : PageAnswer.Error(412, "to field mismatch");
    }

    private async Task FeedAsync(WebExchange exchange, PeerOutlet outlet)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(exchange.Aborted, _stopping.Token);
        var body = exchange.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        body.DisableBuffering();
        await body.StartAsync(ended.Token);
        outlet.WriteHeartbeat(body.Writer);
        await body.Writer.FlushAsync(ended.Token);
        Task<bool> waiting = outlet.WaitAsync(ended.Token).AsTask();
        using var ticks = new PeriodicTimer(HeartbeatInterval, time);
        Task<bool> tick = ticks.WaitForNextTickAsync(ended.Token).AsTask();
        while (true)
        {
            await Task.WhenAny(waiting, tick);
            if (tick.IsCompleted)
            {
                await tick;
                outlet.WriteHeartbeat(body.Writer);
                tick = ticks.WaitForNextTickAsync(ended.Token).AsTask();
            }

            if (waiting.IsCompleted)
            {
                if (!await waiting)
                {
                    return;
                }

                outlet.TryWriteFrames(body.Writer);
                waiting = outlet.WaitAsync(ended.Token).AsTask();
            }

            FlushResult flushed = await body.Writer.FlushAsync(ended.Token);
            if (flushed.IsCompleted || flushed.IsCanceled)
            {
                return;
            }
        }
    }
}
