using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Load;

/// <summary>The requests of each workload.</summary>
internal static class Workloads
{
    /// <summary>Puts.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="valueSize">Bytes of each value.</param>
    /// <returns>The mix.</returns>
    public static RequestMix Put(KeySpace keys, int valueSize) =>
        new(keys, RequestTemplate.Of(Paths.Put, PutOf(keys, valueSize), keys.KeySize));

    /// <summary>Reads of single keys.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="serializable">Whether a member may answer from what it has.</param>
    /// <returns>The mix.</returns>
    public static RequestMix Get(KeySpace keys, bool serializable)
    {
        var request = new RangeRequest { Key = RequestTemplate.PlaceholderKey(keys.KeySize), Serializable = serializable };
        return new RequestMix(keys, RequestTemplate.Of(Paths.Range, request, keys.KeySize));
    }

    /// <summary>One and the same read.</summary>
    /// <param name="request">The read.</param>
    /// <returns>The mix.</returns>
    public static RequestMix Range(RangeRequest request) => new(new KeySpace(1, 1, true), RequestTemplate.Of(Paths.Range, request));

    /// <summary>Transactions of one read or one put each: kind 0 reads, kind 1 writes.</summary>
    /// <param name="keys">The keys of the puts.</param>
    /// <param name="valueSize">Bytes of each value.</param>
    /// <param name="read">The read.</param>
    /// <param name="readsPerWrite">How many reads come on one write.</param>
    /// <returns>The mix.</returns>
    public static RequestMix TxnMixed(KeySpace keys, int valueSize, RangeRequest read, double readsPerWrite)
    {
        var reads = new TxnRequest { Success = { new RequestOp { RequestRange = read } } };
        var writes = new TxnRequest { Success = { new RequestOp { RequestPut = PutOf(keys, valueSize) } } };
        var bound = readsPerWrite / (1 + readsPerWrite);
        return new RequestMix(
            keys,
            [RequestTemplate.Of(Paths.Txn, reads), RequestTemplate.Of(Paths.Txn, writes, keys.KeySize)],
            sequence => KeySpace.Scatter((ulong)~sequence) / (double)ulong.MaxValue < bound ? 0 : 1);
    }

    /// <summary>Renewals of leases, in turn, each on a stream of its own.</summary>
    /// <param name="leases">Ids of leases that live.</param>
    /// <returns>The mix; its kinds are the leases.</returns>
    public static RequestMix KeepAlive(IReadOnlyList<long> leases)
    {
        RequestTemplate[] templates = [.. leases.Select(static id => RequestTemplate.Of(Paths.LeaseKeepAlive, new LeaseKeepAliveRequest { ID = id }))];
        return new RequestMix(new KeySpace(1, 1, true), templates, sequence => (int)(sequence % templates.Length));
    }

    private static PutRequest PutOf(KeySpace keys, int valueSize)
    {
        var value = new byte[valueSize];
        for (var i = 0; i < value.Length; i++)
        {
            value[i] = (byte)('a' + (KeySpace.Scatter((ulong)i) % 26));
        }

        return new PutRequest { Key = RequestTemplate.PlaceholderKey(keys.KeySize), Value = ByteString.CopyFrom(value) };
    }
}
