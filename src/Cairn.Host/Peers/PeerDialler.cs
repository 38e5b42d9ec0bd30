using System.IO.Pipelines;
using System.Net;
using Cairn.Server;
using Cairn.Server.Membership;
using Cairn.Server.Peers;

namespace Cairn.Host.Peers;

/// <summary>What this member keeps up towards one other: two streams to receive from, and requests while the other receives no stream from here.</summary>
/// <remarks>Source: etcd server/etcdserver/api/rafthttp/stream.go (streamReader), pipeline.go.</remarks>
internal sealed class PeerDialler(PeerHttp http, PeerLink link, Node node, string ownUrls, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    // As in etcd: parallel requests, so that one that hangs does not hold up the next.
    private const int PipelineRequestsMax = 4;

    // Soon after a connection broke the process at its other end may still be closing its port.
    private static readonly TimeSpan RetryFirst = TimeSpan.FromMilliseconds(20);

    // A member that comes back is heard within a second.
    private static readonly TimeSpan RetryMax = TimeSpan.FromSeconds(1);

    // The other side sends something every five thirds of a second.
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(5);

    // As in etcd: shorter than the silence that ends a connection, so that probes find one that is open.
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(4);

    private readonly CancellationTokenSource _stopping = new();
    private Task _work = Task.CompletedTask;
    private int _streams;

    /// <summary>Starts.</summary>
    public void Start()
    {
        List<Task> work = [.. Enumerable.Range(0, PipelineRequestsMax).Select(_ => Task.Run(PostAsync))];
        if (!link.IsProvisional)
        {
            work.Add(Task.Run(() => ReceiveAsync(PeerTraffic.Messages)));
            work.Add(Task.Run(() => ReceiveAsync(PeerTraffic.Appends)));
            work.Add(Task.Run(ProbeAsync));
        }

        _work = Task.WhenAll(work);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _work;
        _stopping.Dispose();
    }

    private static string NameOf(PeerTraffic traffic) => traffic == PeerTraffic.Appends ? "msgapp" : "message";

    // What etcd calls the streams in its log.
    private static string TitleOf(PeerTraffic traffic) => traffic == PeerTraffic.Appends ? "stream MsgApp v2" : "stream Message";

    private HttpRequestMessage Make(HttpMethod method, string url, string path)
    {
        var request = new HttpRequestMessage(method, PeerTarget.Of(url, path));
        PeerHeaders.Introduce(request, node, ownUrls);
        return request;
    }

    private async Task ReceiveAsync(PeerTraffic traffic)
    {
        TimeSpan pause = RetryFirst;
        string? lastReason = null;
        int? refusals = null;
        for (int attempt = 0; !_stopping.IsCancellationRequested; attempt++)
        {
            IReadOnlyList<string> urls = link.PeerUrls;
            long began = time.GetTimestamp();
            (string? reason, bool isRefused) = urls.Count == 0 ? ("no URL", false) : await ReceiveOnceAsync(traffic, urls[attempt % urls.Count]);
            if (reason is null)
            {
                // It was up for a while.
                (pause, lastReason, refusals) = (RetryFirst, null, 0);
                if (time.GetElapsedTime(began) > RetryMax)
                {
                    // The next dial tells whether only the connection ended, or the process; a leader's heirs wait for that.
                    continue;
                }
            }
            else if (reason != lastReason)
            {
                lastReason = reason;
                Log.StreamDown(logger, TitleOf(traffic), $"{node.MemberId:x}", $"{link.MemberId:x}", reason);
            }

            if (isRefused && ++refusals == urls.Count)
            {
                node.ReportEnded(link.MemberId);
                refusals = null; // Once: who never let this member in says nothing by refusing it again.
            }

            try
            {
                await Task.Delay(pause, time, _stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, RetryMax.Ticks));
        }
    }

    /// <returns>Why nothing was received, null if something was; and whether that is because nobody listens there.</returns>
    private async Task<(string? Reason, bool IsRefused)> ReceiveOnceAsync(PeerTraffic traffic, string url)
    {
        bool wasUp = false;
        try
        {
            using HttpRequestMessage request = Make(HttpMethod.Get, url, $"/raft/stream/{NameOf(traffic)}/{node.MemberId:x}");
            request.Headers.TryAddWithoutValidation(PeerHeaders.To, $"{link.MemberId:x}");
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            limit.CancelAfter(SilenceMax);
            using HttpResponseMessage response = await http.SendAsync(request, limit.Token);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                return (await ExplainAsync(response), false);
            }

            var shown = PeerSight.Parse(response.Headers.TryGetValues(PeerHeaders.Process, out IEnumerable<string>? values) ? values.First() : null);
            if (!node.Hears(link.MemberId, shown))
            {
                return ("the process there is not heard for its member", false);
            }

            Log.StreamUp(logger, TitleOf(traffic), $"{node.MemberId:x}", $"{link.MemberId:x}");
            if (Interlocked.Increment(ref _streams) == 1)
            {
                link.ReportActive();
                Log.PeerActive(logger, $"{link.MemberId:x}");
            }

            wasUp = true;
            await ReadAsync(link.OpenInlet(traffic, shown), response);
            return (null, false);
        }
        catch (Exception e) when (PeerHttp.IsNetwork(e))
        {
            return wasUp ? (null, false) : (e.Message, PeerHttp.IsRefusal(e));
        }
        finally
        {
            if (wasUp && Interlocked.Decrement(ref _streams) == 0 && !_stopping.IsCancellationRequested)
            {
                link.ReportInactive();
                node.ReportLost(link.MemberId);
                Log.PeerInactive(logger, $"{link.MemberId:x}");
            }
        }
    }

    private async Task<string> ExplainAsync(HttpResponseMessage response)
    {
        string text = (await response.Content.ReadAsStringAsync(_stopping.Token)).TrimEnd('\n');
        if (response.StatusCode == HttpStatusCode.Gone)
        {
            node.LearnRemoval();
        }

        return $"{(int)response.StatusCode} {text}";
    }

    private async Task ReadAsync(PeerInlet inlet, HttpResponseMessage response)
    {
        PipeReader reader = PipeReader.Create(await response.Content.ReadAsStreamAsync(_stopping.Token), new StreamPipeReaderOptions(bufferSize: 64 * 1024));
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        try
        {
            while (true)
            {
                silence.CancelAfter(SilenceMax);
                ReadResult read = await reader.ReadAsync(silence.Token);
                var bytes = read.Buffer;
                bool isSound = inlet.TryTake(ref bytes);
                reader.AdvanceTo(bytes.Start, bytes.End);
                if (!isSound || read.IsCompleted)
                {
                    return;
                }
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    /// <summary>Measures how long the other takes to answer, on a connection that nothing else waits for.</summary>
    private async Task ProbeAsync()
    {
        using var ticks = new PeriodicTimer(ProbeInterval, time);
        try
        {
            do
            {
                await ProbeOnceAsync();
            }
            while (await ticks.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task ProbeOnceAsync()
    {
        if (link.PeerUrls is not [var url, ..])
        {
            return;
        }

        try
        {
            using HttpRequestMessage request = Make(HttpMethod.Get, url, "/raft/probing");
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            limit.CancelAfter(SilenceMax);
            long began = time.GetTimestamp();
            using HttpResponseMessage response = await http.SendAsync(request, limit.Token);
            await response.Content.LoadIntoBufferAsync(limit.Token);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                link.ReportRoundTrip(time.GetElapsedTime(began));
            }
        }
        catch (Exception e) when (PeerHttp.IsNetwork(e))
        {
            // It is not reached: the streams say so.
        }
    }

    private async Task PostAsync()
    {
        try
        {
            for (int attempt = 0; await link.Pipeline.WaitAsync(_stopping.Token);)
            {
                if (link.Pipeline.TryTakeMessage(out byte[] body) && !await PostOneAsync(body, attempt))
                {
                    attempt++;
                    link.ReportUnreachable();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task<bool> PostOneAsync(byte[] body, int attempt)
    {
        IReadOnlyList<string> urls = link.PeerUrls;
        if (urls.Count == 0)
        {
            return false;
        }

        try
        {
            using HttpRequestMessage request = Make(HttpMethod.Post, urls[attempt % urls.Count], "/raft");
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/protobuf");
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            limit.CancelAfter(SilenceMax);
            using HttpResponseMessage response = await http.SendAsync(request, limit.Token);
            return response.StatusCode == HttpStatusCode.NoContent;
        }
        catch (Exception e) when (PeerHttp.IsNetwork(e) && !_stopping.IsCancellationRequested)
        {
            return false;
        }
    }
}
