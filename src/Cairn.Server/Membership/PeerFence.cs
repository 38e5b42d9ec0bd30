using System.Collections.Concurrent;
using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Raft;
using Cairn.Server.Founding;
using Cairn.Server.Peers;

namespace Cairn.Server.Membership;

/// <summary>Stands between the core and the transport: hears only processes that may speak for their members, and keeps silent if this one may not.</summary>
/// <remarks>
/// A fenced member neither votes nor acknowledges: what it would say is dropped here, whoever made it say so, and so is what it hears. Thread-safe.
/// </remarks>
/// <param name="node">The node.</param>
/// <param name="held">What the log says at the start.</param>
internal sealed class PeerFence(NodeRuntime node, HardState held) : IPeerTransport
{
    // Streams between members carry something every five thirds of a second; one that ended is reported.
    private static readonly TimeSpan AliveFor = TimeSpan.FromSeconds(4);

    private readonly ConcurrentDictionary<ulong, Contact> _contacts = new();
    private readonly ConcurrentDictionary<ulong, (ulong Nonce, ImmutableArray<string> Urls)> _places = new();
    private readonly VoteRequests _votes = new(held);
    private readonly ConcurrentDictionary<(ulong MemberId, ulong Nonce), JudgementKind> _said = new();
    private readonly Lock _learns = new();

    /// <summary>Whether a process is heard; what it promises is remembered.</summary>
    /// <param name="message">What it says.</param>
    /// <param name="sender">What it shows; null if it shows nothing, as etcd's.</param>
    /// <returns>False if the message must be dropped.</returns>
    public bool Admits(Message message, PeerSight? sender)
    {
        // What a member passes on for another still bears the name of that other.
        var memberId = sender?.MemberId ?? message.From;
        if (!Hears(memberId, sender))
        {
            return false;
        }

        if (message.Type == MessageType.Vote && sender is not null && !_votes.TryNote(memberId, message.Term, sender.Process.Nonce))
        {
            return false;
        }

        // Only these are promises: both waited for the disk.
        if (message.From == memberId && message is { Reject: false, Type: MessageType.AppResp or MessageType.VoteResp })
        {
            var committed = node.Facts.LeadingTerm == message.Term ? node.Facts.Committed : 0;
            node.Memory.Marks.Promised(message.From, message.Term, message.Type == MessageType.AppResp ? message.Index : 0, committed);
        }

        return true;
    }

    /// <summary>Whether a process is heard.</summary>
    /// <param name="memberId">The member for which it is to speak.</param>
    /// <param name="sender">What it shows.</param>
    /// <returns>False if it may not, or is somebody else.</returns>
    public bool Hears(ulong memberId, PeerSight? sender)
    {
        if (node.Memory.IsSilent || (sender is not null && sender.MemberId != memberId))
        {
            return false;
        }

        if (sender is not null && _contacts.TryGetValue(memberId, out var contact) && contact.Process == sender.Process)
        {
            contact.HeardAt = node.Time.GetTimestamp();
            return true;
        }

        return Judge(memberId, sender).IsAccepted;
    }

    /// <summary>Judges a process that is not the one which was heard last.</summary>
    /// <param name="memberId">The member for which it speaks.</param>
    /// <param name="sender">What it shows.</param>
    /// <returns>The judgement.</returns>
    public Judgement Judge(ulong memberId, PeerSight? sender)
    {
        var marks = node.Memory.Marks;
        if (node.Facts.LeadingTerm is var term and not 0)
        {
            marks.Committed(term, node.Facts.Committed);
        }

        var recorded = node.View.Members.Find(memberId)?.Incarnation ?? 0;
        var verdict = sender is null ? null : node.View.Healing.VerdictOn(memberId, sender.Process.Nonce);
        var before = marks.ProcessOf(memberId);
        var judgement = memberId == node.Headers.MemberId && sender is not null && verdict is null && sender.Process != node.Process && sender.Process.Incarnation == node.Process.Incarnation
            ? Judgement.Defer("this process speaks for the member, and is alive")
            : marks.Judge(memberId, recorded, sender?.Process, sender?.End ?? default, IsAlive(memberId), verdict, RefusedOf(memberId, before, sender));
        if (!judgement.IsAccepted)
        {
            Say(memberId, sender, judgement);
        }
        else if (sender is not null)
        {
            if (before != sender.Process)
            {
                // A copy that comes later, and finds this member started anew, must be told from it.
                node.Housekeeping.WriteSoon();
            }

            _contacts[memberId] = new Contact(sender.Process) { HeardAt = node.Time.GetTimestamp() };
        }

        return judgement;
    }

    /// <summary>Whether a process of a member that is heard has shown itself, as no member of etcd does.</summary>
    /// <param name="memberId">The member.</param>
    /// <returns>True if so.</returns>
    public bool HasShownItself(ulong memberId) => _contacts.ContainsKey(memberId);

    /// <summary>Notes where a process that is heard says that it is.</summary>
    /// <param name="memberId">Its member.</param>
    /// <param name="nonce">The process.</param>
    /// <param name="urls">Its peer URLs; none if it was told none.</param>
    public void NotePlace(ulong memberId, ulong nonce, ImmutableArray<string> urls) => _places[memberId] = (nonce, urls);

    /// <summary>Where the process that speaks for a member is. The cluster may know the member where a copy of its disk stands, or stood: to learn better, the process may need a state first.</summary>
    /// <param name="memberId">The member.</param>
    /// <returns>Its peer URLs; empty if it has not said them.</returns>
    public ImmutableArray<string> PlaceOf(ulong memberId) =>
        _places.TryGetValue(memberId, out var place) && node.Memory.Marks.ProcessOf(memberId)?.Nonce == place.Nonce ? place.Urls : [];

    /// <summary>Notes that a connection of a member ended: its process may be gone.</summary>
    /// <param name="memberId">The member.</param>
    public void Lost(ulong memberId)
    {
        if (_contacts.TryGetValue(memberId, out var contact))
        {
            contact.HeardAt = 0;
        }
    }

    /// <summary>Learns from another member that this one must not speak for its member, and remembers that durably.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="others">Whom its directory asks for a place; null for the other members as it knows them.</param>
    public void BecomeFenced(string reason, ImmutableArray<KnownMember>? others = null)
    {
        lock (_learns)
        {
            if (node.Memory.Fenced.Length > 0)
            {
                return;
            }

            node.Memory.Fenced = reason;
            node.Memory.LastMembers = others ?? [.. node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId).Select(FoundingRecords.Write)];
        }

        node.Logger.Fenced(node.Headers.MemberId, reason);
        node.Housekeeping.WriteSoon();
        node.Departure.Reopen($"this data directory must not speak for member {node.Headers.MemberId:x} any more; it asks for a place of its own: {reason}");
    }

    /// <summary>Learns that another member does not hear this one, by what that member alone remembers: this one is silent until the cluster has decided.</summary>
    /// <param name="dispute">Who, and why.</param>
    public void BecomeDisputed(Dispute dispute)
    {
        lock (_learns)
        {
            if (node.Memory.Disputes.Any(known => known.MemberId == dispute.MemberId))
            {
                return;
            }

            node.Memory.Disputes = node.Memory.Disputes.Add(dispute);
        }

        node.Logger.Disputed(node.Headers.MemberId, dispute.MemberId, dispute.Reason);
        node.Housekeeping.WriteSoon();
    }

    /// <summary>Learns that members do not contradict any more, or that the cluster decided against them.</summary>
    /// <param name="isSettled">Whose disputes are settled.</param>
    public void Settle(Predicate<Dispute> isSettled)
    {
        ImmutableList<Dispute> left;
        lock (_learns)
        {
            left = node.Memory.Disputes.RemoveAll(isSettled);
            if (left.Count == node.Memory.Disputes.Count)
            {
                return;
            }

            node.Memory.Disputes = left;
        }

        node.Logger.DisputeSettled(node.Headers.MemberId, left.Count);
        node.Housekeeping.WriteSoon();
    }

    /// <summary>Whether a process of a member was heard a moment ago.</summary>
    /// <param name="memberId">The member.</param>
    /// <returns>True if so.</returns>
    public bool IsAlive(ulong memberId) =>
        _contacts.TryGetValue(memberId, out var contact) && contact.HeardAt != 0 && node.Time.GetElapsedTime(contact.HeardAt) < AliveFor;

    /// <inheritdoc/>
    public void Send(Message message)
    {
        if (!node.Memory.IsSilent)
        {
            node.World.Transport?.Send(message);
        }
    }

    /// <inheritdoc/>
    public void SetPeers(IReadOnlyList<PeerAddress> peers) => node.World.Transport?.SetPeers(peers);

    /// <summary>The process that was heard before, if the cluster has decided meanwhile that it does not speak for its member.</summary>
    private ulong RefusedOf(ulong memberId, ProcessIdentity? before, PeerSight? sender) =>
        before is not null && before != sender?.Process && node.View.Healing.VerdictOn(memberId, before.Nonce) is { Speaks: false } ? before.Nonce : 0;

    private void Say(ulong memberId, PeerSight? sender, in Judgement judgement)
    {
        var key = (memberId, sender?.Process.Nonce ?? 0);
        if (!_said.TryGetValue(key, out var before) || before != judgement.Verdict)
        {
            _said[key] = judgement.Verdict;
            node.Logger.PeerNotHeard(memberId, judgement.Reason);
        }
    }

    private sealed class Contact(ProcessIdentity process)
    {
        private long _heardAt;

        public ProcessIdentity Process => process;

        public long HeardAt
        {
            get => Volatile.Read(ref _heardAt);
            set => Volatile.Write(ref _heardAt, value);
        }
    }
}
