using System.Runtime.CompilerServices;
using Cairn.Client.Calls;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Client;

/// <summary>Keys and values. Any thread. All methods throw <see cref="ClientException"/> when the call fails.</summary>
public sealed class KvClient
{
    private readonly Caller _caller;

    internal KvClient(Caller caller) => _caller = caller;

    /// <summary>Reads keys.</summary>
    /// <param name="request">What to read.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<RangeResponse> RangeAsync(RangeRequest request, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.Range, request, Repeat.Always, cancelled);

    /// <summary>Reads keys in pieces of one and the same revision, for ranges too large for one answer. Not every server of etcd's API has it.</summary>
    /// <param name="request">What to read; neither sorted nor filtered by revision.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The pieces; header, count and more are in the last.</returns>
    public async IAsyncEnumerable<RangeResponse> RangeStreamAsync(RangeRequest request, [EnumeratorCancellation] CancellationToken cancelled = default)
    {
        GrpcStream<RangeRequest, RangeStreamResponse> stream =
            await _caller.OpenAsync(_caller.Ring.Current, Methods.RangeStream, cancelled).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            await Streams.WriteAsync(stream, request).ConfigureAwait(false);
            stream.CompleteWriting();
            while (await Streams.ReadAsync(stream).ConfigureAwait(false) is { } piece)
            {
                yield return piece.RangeResponse;
            }
        }
    }

    /// <summary>Reads one key.</summary>
    /// <param name="key">The key, taken as UTF-8.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The key with its value, or null if there is none.</returns>
    public async Task<KeyValue?> GetAsync(string key, CancellationToken cancelled = default)
    {
        RangeResponse response = await RangeAsync(new RangeRequest { Key = ByteString.CopyFromUtf8(key) }, cancelled).ConfigureAwait(false);
        return response.Kvs.Count > 0 ? response.Kvs[0] : null;
    }

    /// <summary>Reads a range.</summary>
    /// <param name="range">The range.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<RangeResponse> GetAsync(KeyRange range, CancellationToken cancelled = default) =>
        RangeAsync(new RangeRequest { Key = range.Key, RangeEnd = range.End }, cancelled);

    /// <summary>Writes a key.</summary>
    /// <param name="request">What to write.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<PutResponse> PutAsync(PutRequest request, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.Put, request, Repeat.IfNeverSent, cancelled);

    /// <summary>Writes a key.</summary>
    /// <param name="key">The key, taken as UTF-8.</param>
    /// <param name="value">The value, taken as UTF-8.</param>
    /// <param name="lease">The lease with which the key ends, or 0.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<PutResponse> PutAsync(string key, string value, long lease = 0, CancellationToken cancelled = default) =>
        PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8(key), Value = ByteString.CopyFromUtf8(value), Lease = lease }, cancelled);

    /// <summary>Deletes keys.</summary>
    /// <param name="request">What to delete.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<DeleteRangeResponse> DeleteAsync(DeleteRangeRequest request, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.DeleteRange, request, Repeat.IfNeverSent, cancelled);

    /// <summary>Deletes a range.</summary>
    /// <param name="range">The range.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<DeleteRangeResponse> DeleteAsync(KeyRange range, CancellationToken cancelled = default) =>
        DeleteAsync(new DeleteRangeRequest { Key = range.Key, RangeEnd = range.End }, cancelled);

    /// <summary>Deletes one key.</summary>
    /// <param name="key">The key, taken as UTF-8.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<DeleteRangeResponse> DeleteAsync(string key, CancellationToken cancelled = default) =>
        DeleteAsync(KeyRange.Of(ByteString.CopyFromUtf8(key)), cancelled);

    /// <summary>Compares, then reads and writes, all at one revision.</summary>
    /// <param name="request">What to do.</param>
    /// <param name="cancelled">Ends the call; whether it took effect is then not known.</param>
    /// <returns>The answer.</returns>
    public Task<TxnResponse> TxnAsync(TxnRequest request, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.Txn, request, Repeat.IfNeverSent, cancelled);

    /// <summary>Drops history.</summary>
    /// <param name="revision">The oldest revision that stays readable.</param>
    /// <param name="physical">Whether to wait until the space is free.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<CompactionResponse> CompactAsync(long revision, bool physical = false, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.Compact, new CompactionRequest { Revision = revision, Physical = physical }, Repeat.IfNeverSent, cancelled);
}
