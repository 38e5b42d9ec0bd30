using System.Collections.Immutable;
using System.Globalization;
using System.Net.Security;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host.Flags;
using Cairn.Protocol;
using Cairn.Server;
using Google.Protobuf;

namespace Cairn.Host.Discovery;

/// <summary>Finds the members of a cluster that is to be founded with the help of another one, in which each writes itself down under a token (etcd's discovery of version 3).</summary>
/// <remarks>
/// How many there are to be stands at <c>/_etcd/registry/TOKEN/_config/size</c>, written by a person; each member is a key <c>/_etcd/registry/TOKEN/members/ID</c> with the value
/// <c>name=url,…</c>. The first so many that were written are the members. Source: etcd server/etcdserver/api/v3discovery/discovery.go.
/// </remarks>
/// <param name="options">Where, and who asks.</param>
/// <param name="time">The clock of its pauses.</param>
/// <param name="logger">For what it waits.</param>
internal sealed class TokenDiscovery(TokenDiscoveryOptions options, TimeProvider time, ILogger logger)
{
    private const string Registry = "/_etcd/registry";

    private static readonly GrpcMethod<RangeRequest, RangeResponse> Range = new("/etcdserverpb.KV/Range", RangeResponse.Parser);
    private static readonly GrpcMethod<PutRequest, PutResponse> Put = new("/etcdserverpb.KV/Put", PutResponse.Parser);
    private static readonly GrpcMethod<AuthenticateRequest, AuthenticateResponse> Authenticate = new("/etcdserverpb.Auth/Authenticate", AuthenticateResponse.Parser);

    // Soon enough that nobody waits for it who starts some members.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    // Who does not answer is asked again so often; etcd waits from 2 to 256 seconds.
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(2);

    private string? _token;

    /// <summary>Writes this member down, and waits until all are.</summary>
    /// <param name="memberId">Id that this member would have alone under the token.</param>
    /// <param name="name">Its name.</param>
    /// <param name="peerUrls">Its peer URLs.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>All members.</returns>
    /// <exception cref="FlagException">The token is not usable: nobody wrote a size, or others have taken all places.</exception>
    /// <exception cref="IOException">A certificate cannot be read.</exception>
    public async Task<ImmutableArray<InitialMember>> JoinAsync(ulong memberId, string name, IEnumerable<string> peerUrls, CancellationToken cancelled)
    {
        SslClientAuthenticationOptions? tls = options.Tls.Load();
        using var ring = new EndpointRing(options.Endpoints, address => new GrpcChannel(address, new GrpcChannelOptions { ConnectTimeout = options.DialTimeout, Tls = tls, Time = time }), static _ => 0);
        string own = $"{Registry}/{options.Token}/members/{memberId:x}";
        int size = await SizeAsync(ring, cancelled);
        await PlacesAsync(ring, size, own, cancelled);
        var entry = new PutRequest { Key = ByteString.CopyFromUtf8(own), Value = ByteString.CopyFromUtf8(string.Join(',', peerUrls.Select(url => $"{name}={url}"))) };
        await InsistAsync(ring, Put, entry, cancelled);
        while (true)
        {
            IReadOnlyList<KeyValue> places = await PlacesAsync(ring, size, own, cancelled);
            if (places.Count >= size)
            {
                return Members(places.Take(size));
            }

            Log.DiscoveryWaits(logger, size, places.Count);
            await Task.Delay(Pause, time, cancelled);
        }
    }

    private ImmutableArray<InitialMember> Members(IEnumerable<KeyValue> places)
    {
        string list = string.Join(',', places.Select(static place => place.Value.ToStringUtf8().Trim()));
        return ProcessOptionsReader.Members(list) is { IsEmpty: false } members
            ? members
            : throw new FlagException($"discovery: what stands under token {options.Token} is no list of members: {list}; use a new token");
    }

    private async Task<int> SizeAsync(EndpointRing ring, CancellationToken cancelled)
    {
        string key = $"{Registry}/{options.Token}/_config/size";
        RangeResponse answer = await InsistAsync(ring, Range, new RangeRequest { Key = ByteString.CopyFromUtf8(key) }, cancelled);
        if (answer.Kvs.Count == 0)
        {
            throw new FlagException($"discovery: size key not found: write the number of members to {key}");
        }

        string text = answer.Kvs[0].Value.ToStringUtf8();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int size) && size > 0
            ? size
            : throw new FlagException($"discovery: size key is bad: {key} holds \"{text}\", not a number of members");
    }

    /// <summary>The places that are taken, in the order in which they were.</summary>
    private async Task<IReadOnlyList<KeyValue>> PlacesAsync(EndpointRing ring, int size, string own, CancellationToken cancelled)
    {
        var prefix = new RangeRequest
        {
            Key = ByteString.CopyFromUtf8($"{Registry}/{options.Token}/members/"),
            RangeEnd = ByteString.CopyFromUtf8($"{Registry}/{options.Token}/members0"), // The character behind the slash.
            SortTarget = RangeRequest.Types.SortTarget.Create,
            SortOrder = RangeRequest.Types.SortOrder.Ascend,
        };
        RangeResponse answer = await InsistAsync(ring, Range, prefix, cancelled);
        bool isIn = answer.Kvs.Take(size).Any(place => place.Key.ToStringUtf8() == own);
        return isIn || answer.Kvs.Count < size
            ? answer.Kvs
            : throw new FlagException($"discovery: cluster is full: {size} other members stand under token {options.Token}; use a new token, or --initial-cluster-state=existing to join them");
    }

    /// <summary>Asks until somebody answers. A refusal is final, but for a token that has ended.</summary>
    private async Task<TAnswer> InsistAsync<TRequest, TAnswer>(EndpointRing ring, GrpcMethod<TRequest, TAnswer> method, TRequest request, CancellationToken cancelled)
        where TRequest : IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer>
    {
        while (true)
        {
            GrpcChannel channel = ring.Current;
            try
            {
                _token ??= options.User.Length > 0 ? await LogInAsync(channel, cancelled) : null;
                return await channel.CallAsync(method, request, Limited(cancelled));
            }
            catch (GrpcException e) when (e.Code is GrpcStatusCode.Unavailable or GrpcStatusCode.DeadlineExceeded or GrpcStatusCode.Unauthenticated)
            {
                _token = null;
                Log.DiscoveryFails(logger, channel.Address.ToString(), e.Status.Message);
                ring.Leave(channel);
                await Task.Delay(RetryPause, time, cancelled);
            }
            catch (GrpcException e)
            {
                throw new FlagException($"discovery: {channel.Address} refuses: {e.Status.Message}");
            }
        }
    }

    private async Task<string> LogInAsync(GrpcChannel channel, CancellationToken cancelled) =>
        (await channel.CallAsync(Authenticate, new AuthenticateRequest { Name = options.User, Password = options.Password }, new GrpcCallOptions { Timeout = options.RequestTimeout, Cancelled = cancelled })).Token;

    private GrpcCallOptions Limited(CancellationToken cancelled) => new()
    {
        Timeout = options.RequestTimeout,
        Cancelled = cancelled,
        Metadata = _token is null ? null : [new("token", _token)],
    };
}
