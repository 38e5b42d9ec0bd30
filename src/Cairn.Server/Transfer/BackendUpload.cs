using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Peers;
using Cairn.Server.Reads;
using Cairn.State.Schema;
using Cairn.Storage;

namespace Cairn.Server.Transfer;

/// <summary>Sends the state to a member that is no Cairn, as etcd's leader does: the snapshot, its data the members, and behind it the backend file of the same index.</summary>
/// <remarks>
/// The state is that of now, newer than what the core asked for. While it is on its way, and for a while after, the log keeps what lies behind it: whoever
/// receives this cannot be given a difference later. Source: etcd server/etcdserver/snapshot_merge.go, api/rafthttp/snapshot_sender.go.
/// </remarks>
/// <param name="node">The node.</param>
/// <param name="throttle">Limits the rate.</param>
internal sealed class BackendUpload(NodeRuntime node, Throttle throttle)
{
    /// <summary>Path of such states.</summary>
    public const string Path = "/raft/snapshot";

    private const int PieceBytes = 256 << 10;

    /// <summary>Sends.</summary>
    /// <param name="message">What the core sends.</param>
    /// <param name="urls">Peer URLs of the member; tried in turn.</param>
    /// <param name="stopping">Ends it.</param>
    /// <returns>Why it was not taken; null if it was.</returns>
    public async Task<string?> RunAsync(Message message, IReadOnlyList<string> urls, CancellationToken stopping)
    {
        StateImage? image;
        try
        {
            image = await StateImage.TakeAsync(node, stopping);
        }
        catch (CorruptionException damage)
        {
            return damage.Message;
        }

        if (image is null)
        {
            return "this member stops";
        }

        var hold = node.RaftLoop.HoldLog(image.Capture.Applied.Index);
        var failure = await SendAsync(message, urls, image, stopping);
        _ = node.Guard(ReleaseAsync(hold, failure is null ? TransferLimits.HoldAfter : TimeSpan.Zero, stopping));
        return failure;
    }

    private async Task<string?> SendAsync(Message message, IReadOnlyList<string> urls, StateImage image, CancellationToken stopping)
    {
        var began = node.Time.GetTimestamp();
        var head = Head(message, image);
        var refusal = "it is not reached";
        foreach (var url in urls)
        {
            var answer = await PostAsync(url, head, image, stopping);
            if (answer.Status is 200 or 204)
            {
                node.Metrics.Peers.Of(message.To).SentBytes.Add(head.Length + image.File.Length);
                node.Logger.StateSent(message.To, image.File.Length, node.Time.GetElapsedTime(began));
                return null;
            }

            refusal = answer.Status == 0 ? refusal : $"{answer.Status} {answer.Text}";
        }

        return refusal;
    }

    private async Task<PeerAnswer> PostAsync(string url, byte[] head, StateImage image, CancellationToken stopping)
    {
        using var limit = new CancellationTokenSource(TransferLimits.SilenceMax, node.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        var call = new PeerCall(Path) { Parts = PartsAsync(head, image, limit, both.Token) };
        return await node.World.Calls!.AskAsync(url, call, both.Token); // Without calls nobody has URLs.
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> PartsAsync(
        byte[] head, StateImage image, CancellationTokenSource limit, [EnumeratorCancellation] CancellationToken cancelled)
    {
        yield return head;
        using var pieces = image.File.Emit(PieceBytes).GetEnumerator();
        while (MoveNext(pieces))
        {
            await throttle.PassAsync(pieces.Current.Length, cancelled);

            // Each piece that was taken is a sign of life; the time after the last is for what the other does with all of it.
            limit.CancelAfter(TransferLimits.SilenceMax);
            yield return pieces.Current;
        }

        limit.CancelAfter(TransferLimits.TakenWithin);
    }

    private bool MoveNext(IEnumerator<ReadOnlyMemory<byte>> pieces)
    {
        try
        {
            return pieces.MoveNext();
        }
        catch (CorruptionException damage)
        {
            node.Disks.Damage.Note(damage);
            throw;
        }
    }

    private async Task ReleaseAsync(IDisposable hold, TimeSpan after, CancellationToken stopping)
    {
        using (hold)
        {
            try
            {
                await Task.Delay(after, node.Time, stopping);
            }
            catch (OperationCanceledException)
            {
                // This member stops.
            }
        }
    }

    private static byte[] Head(Message message, StateImage image)
    {
        var members = image.Capture.Members;
        var (index, term) = image.Capture.Applied;
        var config = new ConfState { Voters = [.. members.Voters.Order()], Learners = [.. members.Learners.Order()] };
        message = message with { Snapshot = new Snapshot(V2Tree.Encode(members), new SnapshotMetadata(config, index, term)) };
        var size = MessageWire.Size(message);
        var head = new byte[sizeof(ulong) + size];
        BinaryPrimitives.WriteUInt64BigEndian(head, (ulong)size);
        MessageWire.Write(message, head.AsSpan(sizeof(ulong)));
        return head;
    }
}
