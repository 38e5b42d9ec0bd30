using System.Collections.Immutable;
using Cairn.Raft.Membership;
using Cairn.Raft.Roles;
using Cairn.Raft.Wire;

namespace Cairn.Raft;

/// <summary>Consensus as a state machine: messages, ticks and proposals in, a <see cref="Ready"/> out. Does nothing by itself.</summary>
/// <remarks>
/// Owned by one loop; not thread-safe. The loop calls any of the input methods, then, while <see cref="HasReady"/>, takes a <see cref="Ready"/>, does what it
/// says, and, without asynchronous storage writes, calls <see cref="Advance"/>. Source: etcd-io/raft v3.6, rawnode.go (RawNode).
/// </remarks>
public sealed class RaftNode
{
    private readonly RaftCore _core;
    private readonly bool _asyncStorageWrites;
    private readonly List<Message> _stepsOnAdvance = [];
    private SoftState _previousSoftState;
    private HardState _previousHardState;

    /// <summary>Continues from what the log remembers.</summary>
    /// <param name="config">How; the log must reach its own commit index and <see cref="RaftConfig.Applied"/>.</param>
    /// <exception cref="ArgumentException">The configuration contradicts itself, see <see cref="RaftConfig.FindFlaw"/>.</exception>
    public RaftNode(RaftConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.FindFlaw() is { } flaw)
        {
            throw new ArgumentException(flaw, nameof(config));
        }

        _core = new RaftCore(config);
        _asyncStorageWrites = config.AsyncStorageWrites;
        _previousSoftState = _core.SoftState;
        _previousHardState = _core.HardState;
    }

    /// <summary>The core at a glance; allocates nothing.</summary>
    public BasicStatus BasicStatus => new(_core.Id, _core.HardState, _core.SoftState, _core.Log.Applied, _core.LeaderRole.Transfer.Transferee);

    /// <summary>Index of the last entry, durable or not.</summary>
    public ulong LastIndex => _core.Log.LastIndex;

    /// <summary>Term of that entry.</summary>
    public ulong LastTerm => _core.Log.LastId.Term;

    /// <summary>Changes of the membership that are in the log and were not applied, in their order.</summary>
    public IReadOnlyList<Entry> UnappliedChanges =>
        _core.Log.TryGetEntries(_core.Log.Applied + 1, ulong.MaxValue, out var entries) == LogResult.Found
            ? [.. entries.ToArray().Where(static entry => entry.Type == EntryType.ConfChange)]
            : [];

    /// <summary>Up to here this member's own disk has the log as it is now: falls when a leader replaces entries. 0 while a snapshot waits to be durable.</summary>
    public ulong DurableIndex => _core.Log.HasSnapshot ? 0 : _core.Log.Unstable.Offset - 1;

    /// <summary>Payload bytes of entries that this member's own disk has not confirmed yet.</summary>
    public ulong UnstableBytes => _core.Log.Unstable.PayloadBytes;

    /// <summary>Payload bytes of entries that a leader has appended and not yet applied.</summary>
    public ulong UncommittedBytes => _core.LeaderRole.Proposals.UncommittedBytes;

    /// <summary>The active configuration.</summary>
    public ConfState ConfState => _core.Tracker.Config.ToConfState();

    /// <summary>Whether there is something to do: whether <see cref="Ready"/> would say anything.</summary>
    public bool HasReady =>
        _core.SoftState != _previousSoftState
        || (!_core.HardState.IsEmpty && _core.HardState != _previousHardState)
        || _core.Log.Unstable.NextSnapshot is not null
        || !_core.Outbox.IsEmpty
        || !_core.Log.NextUnstableEntries.IsEmpty
        || _core.Log.HasNextCommitted(_core.AllowsUnstableApply)
        || _core.Outbox.HasReadStates;

    internal RaftCore Core => _core;

    /// <summary>Lets one tick pass: elections and heartbeats count them.</summary>
    public void Tick() => _core.Tick();

    /// <summary>Starts an election now.</summary>
    public void Campaign() => _core.Step(new Message { Type = MessageType.Hup });

    /// <summary>Proposes one entry. It may be lost without notice: who proposes must be ready to find out, and to propose again.</summary>
    /// <param name="data">The payload, owned by the log from now on.</param>
    /// <returns>Why it was refused at once, or none.</returns>
    public RaftError Propose(ReadOnlyMemory<byte> data) => Propose([data]);

    /// <summary>Proposes entries, all or none, which get consecutive places in the log.</summary>
    /// <param name="batch">The payloads, owned by the log from now on; at least one.</param>
    /// <returns>Why they were refused at once, or none.</returns>
    public RaftError Propose(params ReadOnlySpan<ReadOnlyMemory<byte>> batch)
    {
        if (batch.IsEmpty)
        {
            return RaftError.None;
        }

        var entries = new Entry[batch.Length];
        for (var i = 0; i < batch.Length; i++)
        {
            entries[i] = new Entry(0, 0, EntryType.Normal, batch[i]);
        }

        return Propose(entries);
    }

    /// <summary>Proposes a configuration change. It is replaced by an empty entry if one is pending, or it cannot follow from the active configuration.</summary>
    /// <param name="change">The change of one member.</param>
    /// <returns>Why it was refused at once, or none.</returns>
    public RaftError ProposeConfChange(in ConfChange change) =>
        Propose([new Entry(0, 0, EntryType.ConfChange, ConfChangeWire.ToBytes(change))]);

    /// <summary>As <see cref="ProposeConfChange(in ConfChange)"/>, for the newer form, of which etcd's own members know nothing.</summary>
    /// <param name="change">The change of any number of members; an empty one leaves a joint configuration.</param>
    /// <returns>Why it was refused at once, or none.</returns>
    public RaftError ProposeConfChange(ConfChangeV2 change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return Propose([new Entry(0, 0, EntryType.ConfChangeV2, ConfChangeV2Wire.ToBytes(change))]);
    }

    /// <summary>Puts a committed configuration change into force; to be called when its entry is applied, not when the application decides to ignore it.</summary>
    /// <param name="change">What the entry says; with member 0 a change that does nothing.</param>
    /// <param name="state">The configuration from now on, to be recorded with snapshots.</param>
    /// <returns>Why the change is impossible, alike on every member, and nothing changed; or none.</returns>
    public MembershipError ApplyConfChange(in ConfChange change, out ConfState state) => ApplyConfChange(change.AsV2(), out state);

    /// <summary>As <see cref="ApplyConfChange(in ConfChange, out ConfState)"/>, for the newer form.</summary>
    /// <param name="change">What the entry says.</param>
    /// <param name="state">The configuration from now on, to be recorded with snapshots.</param>
    /// <returns>Why the change is impossible, alike on every member, and nothing changed; or none.</returns>
    public MembershipError ApplyConfChange(ConfChangeV2 change, out ConfState state)
    {
        ArgumentNullException.ThrowIfNull(change);

        // What is being applied while a snapshot waits was handed out before it: the snapshot's configuration, already in force, covers it.
        var error = _core.Log.HasSnapshot ? MembershipError.None : _core.Configuration.Apply(change);
        state = ConfState;
        return error;
    }

    /// <summary>Takes a message from a member, or a response that a local worker delivers.</summary>
    /// <param name="message">
    /// Anything; what no correct sender sends is refused. That it comes from whom it says is for the transport to know: a peer must not pass for this member,
    /// nor for a <see cref="LocalTarget"/>.
    /// </param>
    /// <returns>Why it was refused, or none.</returns>
    public RaftError Step(Message message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var isFromWorker = LocalTarget.Includes(message.From);
        if ((MessageTypes.IsLocal(message.Type) || message.Type == MessageType.ForgetLeader) && !isFromWorker)
        {
            return RaftError.LocalMessage;
        }

        if (MessageTypes.IsResponse(message.Type) && !isFromWorker && !_core.Tracker.Peers.Contains(message.From))
        {
            return RaftError.PeerNotFound;
        }

        return MessageCheck.IsWellFormed(message, _core.Id) ? _core.Step(message) : RaftError.InvalidMessage;
    }

    /// <summary>Asks for an index at which a read is linearizable; the answer is a <see cref="ReadState"/> with the same context, or never comes.</summary>
    /// <param name="context">Not empty, unique among pending reads of the whole cluster; owned by the core from now on.</param>
    public void ReadIndex(ReadOnlyMemory<byte> context)
    {
        Invariant.Holds(!context.IsEmpty);
        _core.Step(new Message { Type = MessageType.ReadIndex, Entries = new[] { new Entry(0, 0, EntryType.Normal, context) } });
    }

    /// <summary>Asks the leader, this member or another, to hand leadership over. Nothing comes of it if the successor cannot.</summary>
    /// <param name="transferee">The successor, a voter.</param>
    public void TransferLeader(ulong transferee) => _core.Step(new Message { Type = MessageType.TransferLeader, From = transferee });

    /// <summary>Makes a follower forget its leader, so that it grants votes at once; for owners that know the leader to be dead.</summary>
    public void ForgetLeader() => _core.Step(new Message { Type = MessageType.ForgetLeader });

    /// <summary>Reports that the last message to a member could not be sent.</summary>
    /// <param name="id">The member.</param>
    public void ReportUnreachable(ulong id) => _core.Step(new Message { Type = MessageType.Unreachable, From = id });

    /// <summary>Whether a snapshot says more than this member's log: if not, stepping its message needs no state.</summary>
    /// <param name="metadata">What the snapshot covers.</param>
    /// <returns>True if the state at that index is needed before the message is stepped.</returns>
    public bool Needs(SnapshotMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return metadata.Index > _core.Log.Committed && !_core.Log.Matches(new Log.EntryId(metadata.Term, metadata.Index));
    }

    /// <summary>The snapshot that was taken in place of the log and is not durable yet; null if there is none.</summary>
    public Snapshot? PendingSnapshot => _core.Log.Unstable.Snapshot;

    /// <summary>Reports how sending a snapshot ended. Without it, nothing more is sent to the member until it speaks up itself.</summary>
    /// <param name="id">The member.</param>
    /// <param name="failed">Whether it did not arrive.</param>
    public void ReportSnapshot(ulong id, bool failed) => _core.Step(new Message { Type = MessageType.SnapStatus, From = id, Reject = failed });

    /// <summary>Takes what there is to do. It must be done: it is not given again.</summary>
    /// <returns>The work, possibly none.</returns>
    public Ready Ready()
    {
        Invariant.Holds(_stepsOnAdvance.Count == 0);
        var ready = Compose();
        Accept(ready);
        return ready;
    }

    /// <summary>Says that the last Ready is done. Not with asynchronous storage writes, where the workers' responses say it.</summary>
    public void Advance()
    {
        Invariant.Holds(!_asyncStorageWrites);
        foreach (var message in _stepsOnAdvance)
        {
            _core.Step(message);
        }

        _stepsOnAdvance.Clear();
    }

    /// <summary>Founds a cluster: writes the members into an empty log as committed changes, which the owner will find in Ready and apply.</summary>
    /// <param name="members">One <see cref="ConfChangeType.AddNode"/> each, ids ascending; the same on every founding member.</param>
    /// <returns>False, and nothing happens, if the log is not empty.</returns>
    public bool TryBootstrap(params ReadOnlySpan<ConfChange> members)
    {
        Invariant.Holds(!members.IsEmpty);
        if (_core.Log.LastIndex != 0)
        {
            return false;
        }

        // The first Ready is to say everything: nothing of it is durable.
        _previousHardState = default;
        _core.BecomeFollower(1, LocalTarget.None);
        var entries = new Entry[members.Length];
        for (var i = 0; i < members.Length; i++)
        {
            entries[i] = new Entry(1, (ulong)i + 1, EntryType.ConfChange, ConfChangeWire.ToBytes(members[i]));
        }

        _core.Log.Append(entries);
        _core.Log.CommitTo((ulong)entries.Length);

        // In force at once, so that the owner can campaign before it has applied them; applying them again changes nothing.
        foreach (var member in members)
        {
            var error = _core.Configuration.Apply(member.AsV2());
            Invariant.Holds(error == MembershipError.None, $"{error}");
        }

        return true;
    }

    /// <summary>Describes the core in full; allocates.</summary>
    /// <returns>A copy.</returns>
    public RaftStatus Status()
    {
        var peers = ImmutableArray.CreateBuilder<PeerStatus>();
        for (var i = 0; _core.IsLeader && i < _core.Tracker.Peers.Count; i++)
        {
            var peer = _core.Tracker.Peers.At(i);
            peers.Add(new PeerStatus(
                _core.Tracker.Peers.IdAt(i),
                peer.Match,
                peer.Next,
                peer.State,
                peer.IsLearner,
                peer.IsPaused,
                peer.RecentlyActive,
                peer.PendingSnapshot,
                peer.Inflights.Count));
        }

        return new RaftStatus(BasicStatus, ConfState, peers.ToImmutable())
        {
            IsChangePending = _core.IsLeader && _core.Log.Applied < _core.LeaderRole.Proposals.PendingConfIndex,
        };
    }

    private RaftError Propose(Entry[] entries) => _core.Step(new Message { Type = MessageType.Prop, From = _core.Id, Entries = entries });

    private Ready Compose()
    {
        var softState = _core.SoftState;
        var hardState = _core.HardState;
        var entries = _core.Log.NextUnstableEntries;
        var committed = _core.Log.NextCommitted(_core.AllowsUnstableApply);
        var snapshot = _core.Log.Unstable.NextSnapshot;
        var changedHardState = hardState == _previousHardState ? default : hardState;
        return new Ready
        {
            SoftState = softState == _previousSoftState ? null : softState,
            HardState = changedHardState,
            ReadStates = _core.Outbox.TakeReadStates(),
            Entries = entries,
            Snapshot = snapshot,
            CommittedEntries = committed,
            Messages = ComposeMessages(entries, committed, changedHardState, snapshot),
            MustSync = !entries.IsEmpty || hardState.Vote != _previousHardState.Vote || hardState.Term != _previousHardState.Term,
        };
    }

    private ImmutableArray<Message> ComposeMessages(
        ReadOnlyMemory<Entry> entries,
        ReadOnlyMemory<Entry> committed,
        HardState hardState,
        Snapshot? snapshot)
    {
        var outbox = _core.Outbox;
        var messages = ImmutableArray.CreateBuilder<Message>(outbox.Messages.Count + outbox.AfterAppend.Count + 2);
        messages.AddRange(outbox.Messages);
        if (!_asyncStorageWrites)
        {
            // The owner sends after it has persisted, so these may go with the others; what is for ourselves waits for Advance.
            foreach (var message in outbox.AfterAppend)
            {
                if (message.To != _core.Id)
                {
                    messages.Add(message);
                }
            }

            return messages.DrainToImmutable();
        }

        if (StorageMessages.Append(_core, entries, hardState, snapshot) is { } append)
        {
            messages.Add(append);
        }

        if (!committed.IsEmpty)
        {
            messages.Add(StorageMessages.Apply(_core, committed));
        }

        return messages.DrainToImmutable();
    }

    private void Accept(Ready ready)
    {
        _previousSoftState = ready.SoftState ?? _previousSoftState;
        _previousHardState = ready.HardState.IsEmpty ? _previousHardState : ready.HardState;
        if (!_asyncStorageWrites)
        {
            RememberStepsOnAdvance(ready);
        }

        var allowUnstable = _core.AllowsUnstableApply;
        _core.Outbox.ClearMessages();
        _core.Log.Unstable.AcceptInProgress();
        if (!ready.CommittedEntries.IsEmpty)
        {
            var committed = ready.CommittedEntries.Span;
            _core.Log.AcceptApplying(committed[^1].Index, EntryWire.Size(committed), allowUnstable);
        }
    }

    private void RememberStepsOnAdvance(Ready ready)
    {
        foreach (var message in _core.Outbox.AfterAppend)
        {
            if (message.To == _core.Id)
            {
                _stepsOnAdvance.Add(message);
            }
        }

        if (StorageMessages.AppendDone(_core, ready.Snapshot) is { } done)
        {
            _stepsOnAdvance.Add(done);
        }

        if (!ready.CommittedEntries.IsEmpty)
        {
            _stepsOnAdvance.Add(StorageMessages.ApplyDone(_core, ready.CommittedEntries));
        }
    }
}
