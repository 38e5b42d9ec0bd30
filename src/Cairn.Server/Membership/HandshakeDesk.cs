using Cairn.Protocol.Peers;
using Cairn.Server.Founding;
using Cairn.Server.Peers;
using Google.Protobuf;

namespace Cairn.Server.Membership;

/// <summary>Answers members that show themselves.</summary>
/// <param name="node">The node.</param>
internal sealed class HandshakeDesk(NodeRuntime node)
{
    private readonly byte[] _tokenHash = FoundingRecords.HashToken(node.Token);

    /// <summary>Answers a handshake with one of this member, and says what it thinks of the other.</summary>
    /// <param name="shown">What the other shows.</param>
    /// <returns>The answer.</returns>
    public PeerAnswer Greet(Handshake shown)
    {
        var members = node.View.Members;
        if (shown.Opinion is { } told && told.Nonce == node.Process.Nonce && shown.ClusterId == node.Headers.ClusterId && !members.Removed.Contains(shown.MemberId))
        {
            Heed(told, shown, string.Join(',', shown.PeerUrls));
        }

        var reason = (shown.ClusterId == node.Headers.ClusterId, members.Removed.Contains(shown.MemberId), members.Find(shown.MemberId)) switch
        {
            (false, _, _) => "it is not of this cluster",
            (_, true, _) => "it was removed from this cluster",
            (_, _, null) => "this cluster has no such member",
            _ => "",
        };
        node.Recovery.Others.Hear(shown);
        var answer = reason.Length == 0 ? Opine(shown) : new HandshakeAnswer { Verdict = Verdict.Deferred, Reason = reason };
        answer.Speaker = Describe();
        answer.HoldsRemoval = shown.ClusterId == node.Headers.ClusterId && members.Removed.Contains(shown.MemberId) && node.Housekeeping.HoldsRemoval(shown.MemberId);
        answer.IsReplaced = shown.ClusterId == node.Headers.ClusterId && members.Removed.Contains(shown.MemberId) && node.View.Healing.IsReplaced(shown.MemberId);
        return new PeerAnswer(200, answer.ToByteArray());
    }

    /// <summary>Judges a process of a member of this cluster.</summary>
    /// <param name="shown">What it shows.</param>
    /// <returns>What to tell it, without who says so.</returns>
    public HandshakeAnswer Opine(Handshake shown)
    {
        var judgement = Judge(shown);
        return new HandshakeAnswer
        {
            Nonce = shown.Nonce,
            Reason = judgement.Reason,
            IsBehind = judgement.IsBehind,
            IsVouched = judgement.IsAccepted && node.View.Healing.VerdictOn(shown.MemberId, shown.Nonce) is { Speaks: true },
            Verdict = judgement.Verdict switch
            {
                JudgementKind.Accepted => Verdict.Accepted,
                JudgementKind.Deferred => Verdict.Deferred,
                JudgementKind.Disputed => Verdict.Disputed,
                _ => Verdict.Refused,
            },
        };
    }

    /// <summary>Learns what another member thinks of this process.</summary>
    /// <param name="said">What it thinks.</param>
    /// <param name="speaker">The other.</param>
    /// <param name="url">Where it is.</param>
    public void Heed(HandshakeAnswer said, Handshake speaker, string url)
    {
        switch (said.Verdict)
        {
            case Verdict.Refused:
                var others = node.View.Members.Members.IsEmpty ? speaker.Members.Where(member => member.Id != node.Headers.MemberId) : null;
                node.Fence.BecomeFenced($"{speaker.Name} ({url}) does not hear it: {said.Reason}", others is null ? null : [.. others]);
                break;
            case Verdict.Disputed:
                node.Fence.BecomeDisputed(new Dispute { MemberId = speaker.MemberId, IsBehind = said.IsBehind, Reason = $"{speaker.Name} ({url}): {said.Reason}" });
                break;
            case Verdict.Accepted:
                // That the cluster wants it heard says nothing of a promise that was not known then.
                node.Fence.Settle(dispute => (said.IsVouched && !dispute.IsBehind) || dispute.MemberId == speaker.MemberId || (speaker.Leader != 0 && speaker.Removed.Contains(dispute.MemberId)));
                break;
            default:
                break;
        }
    }

    /// <summary>Judges a process of a member of this cluster; while this member leads, it has the cluster decide about one that somebody does not hear.</summary>
    /// <param name="shown">What it shows.</param>
    /// <returns>What this member thinks of it.</returns>
    private Judgement Judge(Handshake shown)
    {
        var end = new LogEnd(shown.End?.Term ?? 0, shown.End?.LastTerm ?? 0, shown.End?.LastIndex ?? 0);
        var judgement = node.Fence.Judge(shown.MemberId, new PeerSight(shown.MemberId, new ProcessIdentity(shown.Incarnation, shown.StartCounter, shown.Nonce), end));
        node.Healer.HearDispute(shown, judgement);
        if (judgement.IsAccepted)
        {
            node.Fence.NotePlace(shown.MemberId, shown.Nonce, [.. shown.StandsAt]);
        }

        return judgement;
    }

    /// <summary>Describes this process.</summary>
    /// <returns>What it shows.</returns>
    public Handshake Describe()
    {
        var members = node.View.Members;
        var self = members.Find(node.Headers.MemberId);
        var shown = new Handshake
        {
            Version = Founder.ProtocolVersion,
            Name = node.Options.Name,
            TokenHash = ByteString.CopyFrom(_tokenHash),
            ClusterId = node.Headers.ClusterId,
            MemberId = node.Headers.MemberId,
            Incarnation = node.Process.Incarnation,
            StartCounter = node.Process.StartCounter,
            Nonce = node.Process.Nonce,
            Standing = node.Memory.Fenced.Length > 0 || !node.Memory.Disputes.IsEmpty ? Standing.Fenced : node.Memory.IsEvicted && node.Departure.IsUnderWay ? Standing.Evicted : Standing.Member,
            End = new DurableEnd { Term = node.Sight.End.Term, LastTerm = node.Sight.End.LastTerm, LastIndex = node.Sight.End.LastIndex },
            Founding = node.Memory.Founding,
            AppliedIndex = node.Facts.Applied,
            Held = node.Recovery.Held,
            Revision = node.View.Revision,
            Leader = node.Facts.Leader,
            LeaderlessMs = node.Recovery.LeaderlessMs,
            Promise = node.Memory.Promise,
        };
        shown.PeerUrls.AddRange(self?.PeerUrls ?? node.Options.PeerUrls);
        shown.StandsAt.AddRange(node.Options.PublishesPeerUrls ? node.Options.PeerUrls : []);
        shown.Members.AddRange(members.Members.Select(FoundingRecords.Write));
        shown.Removed.AddRange(members.Removed);
        shown.Disputes.AddRange(node.Memory.Disputes);
        shown.FormerEpochs.AddRange(node.View.Healing.FormerEpochs);
        return shown;
    }
}
