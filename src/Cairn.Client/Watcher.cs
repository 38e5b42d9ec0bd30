using Cairn.Client.Calls;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf.Collections;

namespace Cairn.Client;

/// <summary>Follows the changes of some keys, over as many connections and members as that takes. One reader at a time.</summary>
/// <remarks>
/// Each change is given exactly once, in the order of revisions, all changes of one revision together. When a stream breaks off, the watcher goes on
/// with the next member from the revision after the last that it gave. Source: etcd client/v3 watch.go, and "Watch" of etcd's API guarantees.
/// </remarks>
public sealed class Watcher : IAsyncDisposable
{
    private readonly Caller _caller;
    private readonly WatchCreateRequest _request;
    private readonly RepeatedField<Event> _fragments = [];
    private GrpcChannel? _channel;
    private GrpcStream<WatchRequest, WatchResponse>? _stream;
    private CancellationTokenSource? _streamEnd;
    private int _failures;

    internal Watcher(Caller caller, WatchCreateRequest request)
    {
        _caller = caller;
        _request = request.Clone();
    }

    /// <summary>The revision from which the watcher would go on; 0 if it starts from now and the server has not answered yet.</summary>
    public long NextRevision => _request.StartRevision;

    /// <summary>Waits until the server has confirmed the watcher, so that every change from now on is seen.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>When the watcher is confirmed.</returns>
    /// <exception cref="ClientException">The server refuses the watcher.</exception>
    /// <exception cref="WatchCompactedException">The history from the start revision on is compacted.</exception>
    public async Task CreatedAsync(CancellationToken cancelled = default)
    {
        while (_stream is null || _streamEnd is null or { IsCancellationRequested: true })
        {
            try
            {
                await OpenAsync(cancelled).ConfigureAwait(false);
            }
            catch (GrpcException e)
            {
                await RecoverAsync(e, cancelled).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Waits for changes, or for the notice that there were none if the request asks for such notices.</summary>
    /// <param name="cancelled">Ends the wait; nothing is lost, the next call goes on.</param>
    /// <returns>Changes of one or more whole revisions in order; without events, a notice that all changes up to its header's revision were given.</returns>
    /// <exception cref="ClientException">The server refuses the watcher.</exception>
    /// <exception cref="WatchCompactedException">The history that is needed next is compacted.</exception>
    public async Task<WatchResponse> NextAsync(CancellationToken cancelled = default)
    {
        while (true)
        {
            await CreatedAsync(cancelled).ConfigureAwait(false);
            try
            {
                if (Take(await ReadAsync(cancelled).ConfigureAwait(false)) is { } response)
                {
                    return response;
                }
            }
            catch (GrpcException e)
            {
                await RecoverAsync(e, cancelled).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Asks for a notice of how far the watcher is, which <see cref="NextAsync"/> then gives; the server may leave it out.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>When the server has been asked.</returns>
    public async Task RequestProgressAsync(CancellationToken cancelled = default)
    {
        await CreatedAsync(cancelled).ConfigureAwait(false);
        if (_stream is { } stream)
        {
            await Streams.WriteAsync(stream, new WatchRequest { ProgressRequest = new WatchProgressRequest() }).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the watcher.</summary>
    /// <returns>When it has ended.</returns>
    public ValueTask DisposeAsync() => CloseAsync();

    private async Task OpenAsync(CancellationToken cancelled)
    {
        await CloseAsync().ConfigureAwait(false);
        _channel = _caller.Ring.Current;
        _streamEnd = new CancellationTokenSource();
        _stream = await _caller.OpenAsync(_channel, Methods.Watch, _streamEnd.Token).ConfigureAwait(false);
        _fragments.Clear();
        await _stream.WriteAsync(new WatchRequest { CreateRequest = _request }).ConfigureAwait(false);
        WatchResponse created = await ReadAsync(cancelled).ConfigureAwait(false);
        ThrowIfEnded(created);
        if (_request.StartRevision == 0)
        {
            _request.StartRevision = created.Header.Revision + 1;
        }
    }

    private async Task<WatchResponse> ReadAsync(CancellationToken cancelled)
    {
        GrpcStream<WatchRequest, WatchResponse> stream = _stream ?? throw Invariant.Unreachable("reads follow an open");
        CancellationTokenSource end = _streamEnd ?? throw Invariant.Unreachable("a stream has its end");

        // A read that is given up would lose what it had read, so the whole stream is given up with it, and the next call opens another.
        using CancellationTokenRegistration registration = cancelled.UnsafeRegister(static source => (source as CancellationTokenSource)?.Cancel(), end);
        try
        {
            return await stream.ReadAsync().ConfigureAwait(false)
                ?? throw new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, "the server ended the watch"));
        }
        catch (OperationCanceledException)
        {
            await CloseAsync().ConfigureAwait(false);
            cancelled.ThrowIfCancellationRequested();
            throw;
        }
    }

    private WatchResponse? Take(WatchResponse response)
    {
        ThrowIfEnded(response);
        _failures = 0;
        if (response.Fragment)
        {
            _fragments.Add(response.Events);
            return null;
        }

        if (_fragments.Count > 0)
        {
            _fragments.Add(response.Events);
            response.Events.Clear();
            response.Events.Add(_fragments);
            _fragments.Clear();
        }

        if (response.Events.Count > 0)
        {
            Invariant.Holds(response.Events[0].Kv.ModRevision >= _request.StartRevision);
            _request.StartRevision = response.Events[^1].Kv.ModRevision + 1;
            return response;
        }

        if (response.Created)
        {
            return null;
        }

        // A notice that all up to its revision was given; one for a start in the future may be below that start.
        _request.StartRevision = Math.Max(_request.StartRevision, response.Header.Revision + 1);
        return response;
    }

    private static void ThrowIfEnded(WatchResponse response)
    {
        if (response.CompactRevision != 0)
        {
            throw new WatchCompactedException(response.CompactRevision);
        }

        if (response.Canceled)
        {
            throw new ClientException(CodeOf(response.CancelReason), response.CancelReason);
        }
    }

    // The reason of a refusal is the text of an error as Go prints it, which names the code.
    private static ClientErrorCode CodeOf(string reason)
    {
        const string Before = "code = ";
        int start = reason.IndexOf(Before, StringComparison.Ordinal);
        string name = start < 0 ? "" : reason[(start + Before.Length)..].Split(' ')[0];
        return Enum.TryParse(name, out ClientErrorCode code) ? code : ClientErrorCode.FailedPrecondition;
    }

    private async Task RecoverAsync(GrpcException failure, CancellationToken cancelled)
    {
        GrpcChannel? failed = _channel;
        await CloseAsync().ConfigureAwait(false);
        bool hopeless = failure.Code is GrpcStatusCode.PermissionDenied or GrpcStatusCode.InvalidArgument or GrpcStatusCode.Unimplemented;
        if (!_caller.DropsToken(failure) && hopeless)
        {
            throw new ClientException(failure);
        }

        if (failed is not null)
        {
            _caller.Logger.WatchResumed(failed.Address, (ClientErrorCode)failure.Code, failure.Status.Message, _request.StartRevision);
            _caller.Ring.Leave(failed);
        }

        _failures++;
        if (_failures % _caller.Ring.Count == 0)
        {
            await _caller.PauseAsync(_failures / _caller.Ring.Count, cancelled).ConfigureAwait(false);
        }
    }

    private async ValueTask CloseAsync()
    {
        if (_streamEnd is { } end)
        {
            await end.CancelAsync().ConfigureAwait(false);
        }

        if (_stream is { } stream)
        {
            _stream = null;
            await stream.DisposeAsync().ConfigureAwait(false);
        }

        _streamEnd?.Dispose();
        _streamEnd = null;
    }
}
