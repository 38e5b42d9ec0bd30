using Cairn.Raft.Log;
using Cairn.Raft.Membership;
using Cairn.Raft.Wire;

namespace Cairn.Raft.Roles;

/// <summary>Appends what is proposed to a leader.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (stepLeader, appendEntry, increaseUncommittedSize, appliedTo).</remarks>
internal sealed class Proposals(RaftCore core)
{
    private static readonly Entry[] TermBeginning = [new Entry(0, 0, EntryType.Normal, default)];
    private static readonly Entry[] JointLeaving = [new Entry(0, 0, EntryType.ConfChangeV2, default)];

    // One configuration change at a time: none is taken until this index is applied.
    private ulong _pendingConfIndex;

    // An estimate of the payload bytes that wait to be applied: it may be too low, never too high.
    private ulong _uncommittedBytes;

    public ulong UncommittedBytes => _uncommittedBytes;

    public ulong PendingConfIndex => _pendingConfIndex;

    public void Reset()
    {
        _pendingConfIndex = 0;
        _uncommittedBytes = 0;
    }

    public void BeginTerm()
    {
        // There may be a configuration change anywhere in what we inherited; waiting for all of it is cheaper than looking.
        _pendingConfIndex = core.Log.LastIndex;
        var error = Append(TermBeginning);
        Invariant.Holds(error == RaftError.None);
    }

    /// <summary>Appends entries, all or none, and sends them.</summary>
    /// <param name="entries">What is proposed: type and data count.</param>
    public RaftError Propose(ReadOnlySpan<Entry> entries)
    {
        Invariant.Holds(!entries.IsEmpty);
        if (!core.Tracker.Peers.Contains(core.Id))
        {
            // Removed from the configuration while leading.
            return RaftError.ProposalDropped;
        }

        if (core.LeaderRole.Transfer.Transferee != LocalTarget.None)
        {
            core.Trace?.Write(
                RaftTraceLevel.Debug,
                $"{core.Id:x} [term {core.Term}] transfer leadership to {core.LeaderRole.Transfer.Transferee:x} is in progress; dropping proposal");
            return RaftError.ProposalDropped;
        }

        var error = CheckConfChanges(ref entries, out var pending);
        if (error == RaftError.None)
        {
            error = Append(entries);
        }

        if (error == RaftError.None)
        {
            _pendingConfIndex = pending;
            core.LeaderRole.Replication.BroadcastAppend();
        }

        return error;
    }

    /// <summary>Ends a joint configuration that wants to end, once it is applied. Tried again at each application: a transfer of leadership may refuse it now.</summary>
    public void LeaveJointIfApplied()
    {
        if (core.Log.Applied < _pendingConfIndex)
        {
            return;
        }

        // Without data, so that no size limit refuses it.
        var error = Propose(JointLeaving);
        if (error == RaftError.None)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"initiating automatic transition out of joint configuration {core.Tracker.Config}");
        }
        else
        {
            core.Trace?.Write(
                RaftTraceLevel.Debug,
                $"not initiating automatic transition out of joint configuration {core.Tracker.Config}: raft proposal dropped");
        }
    }

    public void ReduceUncommitted(ulong bytes) => _uncommittedBytes -= Math.Min(_uncommittedBytes, bytes);

    private RaftError Append(ReadOnlySpan<Entry> entries)
    {
        var bytes = EntryLimits.PayloadBytes(entries);
        var error = CheckSize(bytes);
        if (error != RaftError.None)
        {
            return error;
        }

        _uncommittedBytes += bytes;
        core.Log.AppendNew(core.Term, entries);

        // Our own acknowledgement, once the entries are durable.
        core.Outbox.Send(new Message { Type = MessageType.AppResp, To = core.Id, From = core.Id, Term = core.Term, Index = core.Log.LastIndex });
        return RaftError.None;
    }

    /// <summary>Empty payloads are never refused: a term begins and a joint configuration ends with one. Nor is anything when nothing else waits.</summary>
    private RaftError CheckSize(ulong bytes)
    {
        var config = core.Config;
        if (config.UncommittedBytesMax != 0 && _uncommittedBytes > 0 && bytes > 0 && _uncommittedBytes + bytes > config.UncommittedBytesMax)
        {
            core.Trace?.Write(
                RaftTraceLevel.Warning,
                $"{core.Id:x} appending new entries to log would exceed uncommitted entry size limit; dropping proposal");
            return RaftError.ProposalDropped;
        }

        var waiting = core.Log.Unstable.PayloadBytes;
        if (config.ApplyUnstable && waiting > 0 && bytes > 0 && waiting + bytes > config.ApplyUnstableBytesMax)
        {
            core.Trace?.Write(RaftTraceLevel.Warning, $"{core.Id:x} has {waiting} bytes waiting for its own disk; dropping proposal");
            return RaftError.DiskBehind;
        }

        return RaftError.None;
    }

    /// <summary>Replaces configuration changes that cannot be taken now by empty entries, so that the others keep their places.</summary>
    /// <param name="entries">What is proposed; what is left of it.</param>
    /// <param name="pending">The index of the last configuration change, once the entries are appended.</param>
    private RaftError CheckConfChanges(ref ReadOnlySpan<Entry> entries, out ulong pending)
    {
        Entry[]? replaced = null;
        pending = _pendingConfIndex;
        for (var i = 0; i < entries.Length; i++)
        {
            if (entries[i].Type == EntryType.Normal)
            {
                continue;
            }

            if (!TryReadConfChange(entries[i], out var change))
            {
                return RaftError.InvalidMessage;
            }

            if (WhyNot(change, pending) is { } reason)
            {
                TraceIgnored(entries[i], change, reason);
                replaced ??= entries.ToArray();
                replaced[i] = new Entry(0, 0, EntryType.Normal, default);
            }
            else
            {
                pending = core.Log.LastIndex + (ulong)i + 1;
            }
        }

        if (replaced is not null)
        {
            entries = replaced;
        }

        return RaftError.None;
    }

    private static bool TryReadConfChange(in Entry entry, out ConfChangeV2 change)
    {
        if (entry.Type == EntryType.ConfChangeV2)
        {
            var read = ConfChangeV2Wire.TryRead(entry.Data, out var newer);
            change = newer ?? new ConfChangeV2();
            return read;
        }

        var readOlder = ConfChangeWire.TryRead(entry.Data, out var older);
        change = older.AsV2();
        return readOlder && entry.Type == EntryType.ConfChange;
    }

    /// <summary>Why a change cannot be taken, or null. Judged by what is applied, so it can err either way; the application has the last word.</summary>
    private string? WhyNot(ConfChangeV2 change, ulong pending)
    {
        if (!core.Config.ValidateConfChanges)
        {
            return null;
        }

        if (pending > core.Log.Applied)
        {
            return $"possible unapplied conf change at index {pending} (applied to {core.Log.Applied})";
        }

        var isJoint = core.Tracker.Config.Voters.IsJoint;
        var wantsToLeave = change.Changes.IsEmpty;
        return (isJoint, wantsToLeave) switch
        {
            (true, false) => "must transition out of joint config first",
            (false, true) => "not in joint state; refusing empty conf change",
            _ => null,
        };
    }

    private void TraceIgnored(in Entry entry, ConfChangeV2 change, string reason)
    {
        if (core.Trace is null)
        {
            return;
        }

        var text = entry.Type == EntryType.ConfChange && ConfChangeWire.TryRead(entry.Data, out var older)
            ? ConfChangeText.Of(older)
            : ConfChangeText.Of(change);
        core.Trace.Write(RaftTraceLevel.Info, $"{core.Id:x} ignoring conf change {text} at config {core.Tracker.Config}: {reason}");
    }
}
