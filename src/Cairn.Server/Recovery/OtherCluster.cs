using Cairn.Protocol;
using Cairn.Protocol.Peers;
using Cairn.Server.Founding;

namespace Cairn.Server.Recovery;

/// <summary>What a member that is alone does when another cluster, with a leader, claims its place: it was founded on a wiped disk, or restored beside the cluster that it came from.</summary>
/// <remarks>
/// <code>
///   it has no keys           nothing of it is worth keeping beside the other: it is fenced, and taken in there
///   it has keys              SPLIT: both have data that the other lacks, so neither is given up; it is read, and not written, until a person decides
/// </code>
/// <para>
/// What a person decided stands: an epoch that was founded on purpose gives way to nobody, and the alarm is raised once for each other cluster. It is CORRUPT, which every client
/// understands, and which has the meaning that is wanted. Where more than one member is concerned, each side has a quorum of its own, and only the log tells.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class OtherCluster(NodeRuntime node)
{
    private readonly byte[] _tokenHash = FoundingRecords.HashToken(node.Token);
    private int _isRaising;

    /// <summary>What is known of a split, for people; null if there is none, or a person has decided.</summary>
    public string? Notice => node.Memory.Split is { Length: > 0 } split && node.View.Alarms.IsCorrupt ? split : null;

    /// <summary>Hears a member of another cluster.</summary>
    /// <param name="shown">What it shows.</param>
    public void Hear(Handshake shown)
    {
        if (!ClaimsThisPlace(shown))
        {
            return;
        }

        var text = $"cluster {shown.ClusterId:x}, of which {shown.Name} ({string.Join(',', shown.PeerUrls)}) is a member and which has a leader, has the place of this member, which is alone in cluster {node.Headers.ClusterId:x}";
        if (node.View.LiveKeys == 0)
        {
            node.Fence.BecomeFenced($"{text}, without a key", [.. shown.Members]);
        }
        else if (!node.Memory.Split.Contains($"cluster {shown.ClusterId:x},", StringComparison.Ordinal) && Interlocked.Exchange(ref _isRaising, 1) == 0)
        {
            _ = node.Guard(RaiseAsync($"SPLIT: {text}; both hold data. `etcdctl alarm disarm` goes on with this one; to give it up, move {node.Options.DataDirectory} away and start again"));
        }
    }

    private bool ClaimsThisPlace(Handshake shown)
    {
        var (view, self) = (node.View, node.Headers.MemberId);
        return shown is { Standing: Standing.Member, Leader: not 0 }
            && shown.ClusterId != node.Headers.ClusterId
            && shown.TokenHash.Span.SequenceEqual(_tokenHash)
            && view.Healing.FormerEpochs.IsEmpty && !shown.FormerEpochs.Contains(node.Headers.ClusterId)
            && view.Members.Members is [{ } only] && only.Id == self
            && shown.Members.Any(member => member.Id == self && member.HasStarted && member.Incarnation != 0 && member.Incarnation != node.Process.Incarnation);
    }

    private async Task RaiseAsync(string text)
    {
        var alarm = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Activate, Alarm = AlarmType.Corrupt, MemberID = node.Headers.MemberId };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.AlarmFieldNumber, alarm, default);
        if (outcome.Error == NodeError.None)
        {
            node.Memory.Split = text;
            node.Logger.Split(text);
            node.Housekeeping.WriteSoon();
        }

        Interlocked.Exchange(ref _isRaising, 0);
    }
}
