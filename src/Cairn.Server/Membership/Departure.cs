using Cairn.Protocol.Healing;
using Cairn.Server.Founding;
using Cairn.Server.Peers;
using Cairn.Server.Requests;
using Google.Protobuf;

namespace Cairn.Server.Membership;

/// <summary>What a member does when it learns that it was removed from its cluster.</summary>
/// <remarks>
/// <para>
/// At once it serves nothing any more, and notes the removal durably. If the process is ended soon, it was a stop hook that removed it: at the next start it asks
/// to come back. If nobody ends it, somebody removed a running member, and meant it: it is evicted, says so to the others, and ends by itself.
/// </para>
/// <para>Who learns of it before it served was removed while it was down, and may come back as well.</para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class Departure(NodeRuntime node)
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    private int _begun;

    /// <summary>Whether this member knows of its removal.</summary>
    public bool IsUnderWay => Volatile.Read(ref _begun) != 0;

    /// <summary>Whether this call is the first.</summary>
    /// <returns>True once: <see cref="RunAsync"/> is to be run.</returns>
    public bool TryBegin() => Interlocked.Exchange(ref _begun, 1) == 0;

    /// <summary>Does all of it.</summary>
    /// <returns>Completes when the node has been stopped.</returns>
    public async Task RunAsync()
    {
        var wasServing = node.Ready.IsCompletedSuccessfully;
        node.Logger.RemovedFromCluster(node.Headers.MemberId);
        node.Hub.EndStreams(requireLeaderOnly: false, NodeError.Stopped);
        node.Memory.LastMembers = [.. node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId).Select(FoundingRecords.Write)];
        node.Memory.IsRemoved = true;
        node.Housekeeping.WriteSoon();
        if (!wasServing)
        {
            await EndAsync(new MemberRemovedException("this member was removed from its cluster while it was down; it asks to be taken in again", mayReturn: true));
            return;
        }

        await Task.Delay(node.Options.EvictAfter, node.Time);
        if (node.IsStopping)
        {
            return;
        }

        node.Memory.IsEvicted = true;
        node.Housekeeping.WriteSoon();
        await TellOthersAsync();
        await EndAsync(new MemberRemovedException(
            $"this member was removed from its cluster while it ran, and nobody stopped it for {node.Options.EvictAfter.TotalSeconds:F0} s: it is not part of the cluster "
            + "any more; `cairn member rejoin` would ask for a new place",
            mayReturn: false));
    }

    /// <summary>Ends the node, once: whoever runs it opens the directory again. Any thread.</summary>
    /// <param name="reason">What the directory is to become.</param>
    public void Reopen(string reason)
    {
        node.Departed ??= new ReopenException(reason);
        _ = node.Guard(node.StopAsync());
    }

    private async Task EndAsync(MemberRemovedException reason)
    {
        node.Departed = reason;
        await node.StopAsync();
    }

    /// <summary>Tells one of the others that this member does not come back, so that the cluster is meant to be smaller. If none hears it, the place stays vacant.</summary>
    private async Task TellOthersAsync()
    {
        var call = new PeerCall(PeerRequests.EvictPath, new EvictMember { MemberId = node.Headers.MemberId }.ToByteArray());
        if (node.World.Calls is not { } calls)
        {
            return;
        }

        foreach (var url in node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId).SelectMany(member => member.PeerUrls))
        {
            using var limit = new CancellationTokenSource(AnswerWithin, node.Time);
            if ((await calls.AskAsync(url, call, limit.Token)).Status == 200)
            {
                return;
            }
        }
    }
}
