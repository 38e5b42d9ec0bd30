using System.Collections.Immutable;
using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
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
/// <para>Who learns of it before it served was removed while it was down, and may come back as well; so may who was cut off or stood still, and was replaced by a heal: nobody meant it.</para>
/// <para>
/// Before it ends by itself it waits until a quorum of those who stay would know of the removal after a restart: one that dies before its commit is on its disk counts this member
/// among the voters again, and may need its vote. Members of etcd are not waited for.
/// </para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class Departure(NodeRuntime node)
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    // The others write their state as soon as they are asked: longer than a disk that hangs usually does, and than a process takes to be started again.
    private static readonly TimeSpan HeldWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromMilliseconds(200);

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
        // Who knew before is here because its vote was needed once more: nothing new was decided about it.
        var mayReturn = !node.Ready.IsCompletedSuccessfully || node.Memory.IsRemoved;
        node.Logger.RemovedFromCluster(node.Headers.MemberId);
        node.Hub.EndStreams(requireLeaderOnly: false, NodeError.Stopped);
        node.Memory.LastMembers = [.. node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId).Select(FoundingRecords.Write)];
        node.Memory.IsRemoved = true;
        node.Housekeeping.WriteSoon();

        // What was proposed here is not seen any more: nobody sends it to one that is not a member.
        node.Proposals.RefuseAll(NodeError.Stopped);
        if (!mayReturn)
        {
            await Task.Delay(node.Options.EvictAfter, node.Time);
        }

        var isReplaced = await WaitUntilHeldAsync();
        if (node.IsStopping)
        {
            return;
        }

        if (mayReturn || isReplaced)
        {
            var how = mayReturn ? "removed from its cluster while it was down" : "replaced by a heal, which took it for lost";
            await EndAsync(new MemberRemovedException($"this member was {how}; it asks to be taken in again", mayReturn: true));
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

    /// <summary>Waits until a quorum of those who stay holds the removal on disk, for a minute at most. Meanwhile this member votes and acknowledges.</summary>
    /// <returns>Whether one of them says that a heal replaced this member.</returns>
    private async Task<bool> WaitUntilHeldAsync()
    {
        var isReplaced = node.View.Healing.IsReplaced(node.Headers.MemberId);
        var began = node.Time.GetTimestamp();
        var desk = new HandshakeDesk(node);
        var known = node.Memory.LastMembers;
        while (!node.IsStopping)
        {
            var holders = new HashSet<ulong>();
            var newest = known;
            foreach (var member in known.Where(member => !member.IsLearner))
            {
                if (await AskAsync(desk, member) is var (said, members) && said is not null)
                {
                    holders.Add(member.Id);
                    newest = members.IsEmpty ? newest : members;
                    isReplaced |= said.IsReplaced;
                }
            }

            // Who holds the removal knows better who stays.
            known = newest;
            var voters = known.Where(member => !member.IsLearner && member.Id != node.Headers.MemberId).ToList();
            if (voters.Count(voter => holders.Contains(voter.Id)) > voters.Count / 2 || voters.Count == 0)
            {
                return isReplaced;
            }

            if (node.Time.GetElapsedTime(began) >= HeldWithin)
            {
                node.Logger.RemovalNotHeld(node.Headers.MemberId, HeldWithin);
                return isReplaced;
            }

            await Task.Delay(AskAgainAfter, node.Time);
        }

        return isReplaced;
    }

    /// <summary>Asks a member whether its disk holds the removal.</summary>
    /// <returns>What it says, if it does, as every member of etcd is taken to; and the members that it knows, none of etcd's.</returns>
    private async ValueTask<(HandshakeAnswer? Said, ImmutableArray<KnownMember> Members)> AskAsync(HandshakeDesk desk, KnownMember member)
    {
        foreach (var url in node.World.Calls is null ? [] : member.PeerUrls)
        {
            using var limit = new CancellationTokenSource(AnswerWithin, node.Time);
            var answer = await node.World.Calls!.AskAsync(url, new PeerCall(Founder.HandshakePath, desk.Describe().ToByteArray()) { To = member.Id }, limit.Token); // Checked.
            if (answer.Status == 404)
            {
                return (new HandshakeAnswer(), []);
            }

            if (answer.Status == 200 && PeerBody.TryParse(HandshakeAnswer.Parser, answer.Body) is { HoldsRemoval: true, Speaker: not null } said)
            {
                return (said, [.. said.Speaker.Members]);
            }
        }

        return (null, []);
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
