using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Cairn.Client.Calls;

/// <summary>Makes calls to whichever member answers, with the retry rules of etcd's own client. Any thread.</summary>
/// <remarks>Source: etcd client/v3 retry.go and retry_interceptor.go.</remarks>
internal sealed class Caller : IDisposable
{
    // A pause after each round through all members; doubled each time up to the longest, so that a cluster that comes back is not flooded.
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    // As etcd's own client; only reached by calls without a deadline.
    private const int AttemptsMax = 100;

    private readonly ClientOptions _options;
    private readonly TokenSource _tokens;
    private readonly Lock _chanceLock = new();
    private readonly Prng _chance;

    public Caller(ClientOptions options, Func<Uri, GrpcChannel> connect)
    {
        _options = options;
        _chance = new Prng(options.Seed);
        Ring = new EndpointRing(options.Endpoints, connect, count => _chance.Below(count));
        _tokens = new TokenSource(options, AuthenticateAsync);
    }

    public EndpointRing Ring { get; }

    public ILogger Logger => _options.Logger;

    public TimeProvider Time => _options.Time;

    /// <summary>Draws a number from 0 up to a bound.</summary>
    /// <param name="bound">The bound, exclusive.</param>
    /// <returns>The number.</returns>
    public long Draw(long bound)
    {
        lock (_chanceLock)
        {
            return (long)_chance.Below((ulong)bound);
        }
    }

    /// <summary>Makes a call, at any member.</summary>
    public Task<TResponse> CallAsync<TRequest, TResponse>(
        GrpcMethod<TRequest, TResponse> method, TRequest request, Repeat repeat, CancellationToken cancelled)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        AttemptAsync(method, request, repeat, null, cancelled);

    /// <summary>Makes a call at one member; only a token that ran out is a reason to make it again.</summary>
    public Task<TResponse> CallAtAsync<TRequest, TResponse>(
        string endpoint, GrpcMethod<TRequest, TResponse> method, TRequest request, CancellationToken cancelled)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        AttemptAsync(method, request, Repeat.IfNeverSent, Ring.At(endpoint), cancelled);

    /// <summary>Opens a stream at a member. Whoever reads it decides what to do when it fails.</summary>
    public async Task<GrpcStream<TRequest, TResponse>> OpenAsync<TRequest, TResponse>(
        GrpcChannel channel, GrpcMethod<TRequest, TResponse> method, CancellationToken cancelled)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        string? token = await _tokens.GetAsync(cancelled).ConfigureAwait(false);
        return channel.Open(method, new GrpcCallOptions { Cancelled = cancelled, Metadata = MetadataOf(token) });
    }

    /// <summary>Waits before the next attempt.</summary>
    /// <param name="round">How many times all members have failed, from 1.</param>
    /// <param name="cancelled">Ends the wait.</param>
    public Task PauseAsync(int round, CancellationToken cancelled)
    {
        long ticks = Math.Min(LongestPause.Ticks, FirstPause.Ticks << Math.Min(round - 1, 16));
        return Task.Delay(TimeSpan.FromTicks((ticks / 2) + Draw(ticks)), _options.Time, cancelled);
    }

    /// <summary>Notes what an error says about the token.</summary>
    /// <param name="failure">The error.</param>
    /// <returns>Whether a fresh token may help.</returns>
    public bool DropsToken(GrpcException failure) => _tokens.TryDrop(failure);

    public void Dispose()
    {
        Ring.Dispose();
        _tokens.Dispose();
    }

    private async Task<TResponse> AttemptAsync<TRequest, TResponse>(
        GrpcMethod<TRequest, TResponse> method, TRequest request, Repeat repeat, GrpcChannel? only, CancellationToken cancelled)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var deadline = new Deadline(_options.CallTimeout, _options.Time);
        for (int attempt = 1; ; attempt++)
        {
            GrpcChannel channel = only ?? Ring.Current;
            try
            {
                string? token = ReferenceEquals(method, Methods.Authenticate) ? null : await _tokens.GetAsync(cancelled).ConfigureAwait(false);
                var options = new GrpcCallOptions { Timeout = deadline.Left, Cancelled = cancelled, Metadata = MetadataOf(token) };
                return await channel.CallAsync(method, request, options).ConfigureAwait(false);
            }
            catch (GrpcException e) when (attempt < AttemptsMax && !deadline.HasPassed && MayRepeat(e, repeat, only))
            {
                _options.Logger.AttemptFailed(method.Path, channel.Address, (ClientErrorCode)e.Code, e.Status.Message);
                Ring.Leave(channel);
                if (attempt % Ring.Count == 0)
                {
                    await deadline.WaitAsync(token => PauseAsync(attempt / Ring.Count, token), e, cancelled).ConfigureAwait(false);
                }
            }
            catch (GrpcException e)
            {
                if (e.Code == GrpcStatusCode.DeadlineExceeded)
                {
                    // A member that hangs keeps its connections: the next call asks another one.
                    Ring.Leave(channel);
                }

                throw new ClientException(e);
            }
        }
    }

    private bool MayRepeat(GrpcException failure, Repeat repeat, GrpcChannel? only)
    {
        if (_tokens.TryDrop(failure))
        {
            return true;
        }

        if (only is not null)
        {
            return false;
        }

        return IsRefusedHere(failure.Status) ? Ring.Count > 1 : failure.Code == GrpcStatusCode.Unavailable && (repeat == Repeat.Always || failure.NeverSent);
    }

    /// <summary>Whether a member says that it cannot do this, and has not: a learner, one whose disk fails, one that does not serve yet. Another one can.</summary>
    private static bool IsRefusedHere(GrpcStatus status) =>
        status.Message is "etcdserver: rpc not supported for learner" or "etcdserver: the disk of this member cannot be written"
        || (status.Code == GrpcStatusCode.Unavailable && status.Message.StartsWith("cairn: ", StringComparison.Ordinal));

    private List<KeyValuePair<string, string>> MetadataOf(string? token)
    {
        var metadata = new List<KeyValuePair<string, string>>();
        if (_options.RequireLeader)
        {
            metadata.Add(new("hasleader", "true"));
        }

        if (!string.IsNullOrEmpty(token))
        {
            metadata.Add(new("token", token));
        }

        return metadata;
    }

    private async Task<string> AuthenticateAsync(CancellationToken cancelled)
    {
        var request = new AuthenticateRequest { Name = _options.UserName, Password = _options.Password };
        return (await CallAsync(Methods.Authenticate, request, Repeat.Always, cancelled).ConfigureAwait(false)).Token;
    }
}
