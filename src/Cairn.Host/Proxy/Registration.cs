using System.Text.Json;
using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Host.Proxy;

/// <summary>Makes this proxy known in the store, under a key that lives as long as the proxy does, and finds the others. Does nothing without a prefix.</summary>
/// <remarks>Key and value are those of etcd's naming/endpoints, which Go's clients resolve. Source: etcd server/proxy/grpcproxy/register.go, client/v3/naming/endpoints.</remarks>
internal sealed class Registration(Upstream upstream, ProxyOptions options, TimeProvider time, ILogger logger)
{
    private static readonly GrpcMethod<LeaseGrantRequest, LeaseGrantResponse> Grant = new("/etcdserverpb.Lease/LeaseGrant", LeaseGrantResponse.Parser);
    private static readonly GrpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse> KeepAlive = new("/etcdserverpb.Lease/LeaseKeepAlive", LeaseKeepAliveResponse.Parser);
    private static readonly GrpcMethod<LeaseRevokeRequest, LeaseRevokeResponse> Revoke = new("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeResponse.Parser);
    private static readonly GrpcMethod<PutRequest, PutResponse> Put = new("/etcdserverpb.KV/Put", PutResponse.Parser);
    private static readonly GrpcMethod<RangeRequest, RangeResponse> Range = new("/etcdserverpb.KV/Range", RangeResponse.Parser);

    // As in etcd: one attempt a second.
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    /// <summary>Keeps the proxy known until cancelled; then takes the key away.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        if (options.ResolverPrefix.Length == 0)
        {
            return;
        }

        while (!stopping.IsCancellationRequested)
        {
            long lease = 0;
            try
            {
                lease = await RegisterAsync(stopping);
                await KeepAsync(lease, stopping);
                Log.ProxyUnregistered(logger, options.AdvertiseUrl, "the lease has ended");
            }
            catch (GrpcException e)
            {
                Log.ProxyUnregistered(logger, options.AdvertiseUrl, e.Status.Message);
            }
            catch (OperationCanceledException)
            {
                await RevokeAsync(lease);
                return;
            }

            await Task.Delay(RetryPause, time, CancellationToken.None);
        }
    }

    /// <summary>Finds the proxies that are known now.</summary>
    /// <returns>Each as a member with a name and a client URL; none without a prefix.</returns>
    public async Task<IReadOnlyList<Member>> FindAsync(CancellationToken cancelled)
    {
        if (options.ResolverPrefix.Length == 0)
        {
            return [];
        }

        ByteString first = ByteString.CopyFromUtf8(options.ResolverPrefix + "/");
        ByteString end = ByteString.CopyFromUtf8(options.ResolverPrefix + "0"); // The character behind the slash.
        Outcome<RangeResponse> outcome = await upstream.CallAsync(Range, new RangeRequest { Key = first, RangeEnd = end, Serializable = true }, Limited(cancelled), isRead: true);
        return [.. (outcome.Value?.Kvs ?? []).Select(static row => Read(row.Value)).OfType<Member>()];
    }

    private static GrpcCallOptions Limited(CancellationToken cancelled) => new() { Timeout = AnswerWithin, Cancelled = cancelled };

    private static Member? Read(ByteString value)
    {
        try
        {
            Endpoint? endpoint = JsonSerializer.Deserialize<Endpoint>(value.Span);
            return endpoint is null ? null : new Member { Name = JsonSerializer.Deserialize<Metadata>(endpoint.Metadata)?.Name ?? "", ClientURLs = { endpoint.Addr } };
        }
        catch (JsonException)
        {
            // Somebody else's key.
            return null;
        }
    }

    private async Task<long> RegisterAsync(CancellationToken stopping)
    {
        LeaseGrantResponse granted = Expect(await upstream.CallAsync(Grant, new LeaseGrantRequest { TTL = options.ResolverTtlSeconds }, Limited(stopping), isRead: false));
        var endpoint = new Endpoint(0, options.AdvertiseUrl, JsonSerializer.Serialize(new Metadata(Environment.MachineName)));
        var put = new PutRequest
        {
            Key = ByteString.CopyFromUtf8($"{options.ResolverPrefix}/{options.AdvertiseUrl}"),
            Value = ByteString.CopyFrom(JsonSerializer.SerializeToUtf8Bytes(endpoint)),
            Lease = granted.ID,
        };
        Expect(await upstream.CallAsync(Put, put, Limited(stopping), isRead: false));
        Log.ProxyRegistered(logger, options.AdvertiseUrl, options.ResolverTtlSeconds);
        return granted.ID;
    }

    private async Task KeepAsync(long lease, CancellationToken stopping)
    {
        await using GrpcStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> stream = upstream.Ring.Current.Open(KeepAlive, new GrpcCallOptions { Cancelled = stopping });
        while (true)
        {
            await stream.WriteAsync(new LeaseKeepAliveRequest { ID = lease });
            if (await stream.ReadAsync() is not { TTL: > 0 } answer)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromSeconds(answer.TTL) / 3, time, stopping);
        }
    }

    private async Task RevokeAsync(long lease)
    {
        if (lease != 0)
        {
            await upstream.CallAsync(Revoke, new LeaseRevokeRequest { ID = lease }, new GrpcCallOptions { Timeout = RetryPause }, isRead: false);
        }
    }

    private static T Expect<T>(Outcome<T> outcome)
        where T : class => outcome.Value ?? throw new GrpcException(outcome.Status);

    private sealed record Endpoint(int Op, string Addr, string Metadata);

    private sealed record Metadata([property: System.Text.Json.Serialization.JsonPropertyName("name")] string Name);
}
