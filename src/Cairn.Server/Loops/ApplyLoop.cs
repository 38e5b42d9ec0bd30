using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Leases;
using Cairn.Server.Membership;
using Cairn.Server.Metrics;
using Cairn.Server.Peers;
using Cairn.Server.Proposals;
using Cairn.Server.Reads;
using Cairn.Server.Watch;
using Cairn.State;
using Cairn.State.Transfer;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Loops;

/// <summary>Everything the apply loop works with.</summary>
internal sealed record ApplyLoopParts
{
    /// <summary>The state. Owned by the loop from now on.</summary>
    public required StateMachine State { get; init; }

    /// <summary>The segments; says when memory for rows runs out.</summary>
    public required RevisionLog RevisionLog { get; init; }

    /// <summary>Called when rows should go to the segments soon.</summary>
    public required Action RoomWanted { get; init; }

    /// <summary>Called when a row is not what was written, so that it is healed.</summary>
    public required Action<CorruptionException> DamageMet { get; init; }

    /// <summary>What the rest of the node may know.</summary>
    public required NodeFacts Facts { get; init; }

    /// <summary>Proposals that somebody waits for.</summary>
    public required ProposalTable Proposals { get; init; }

    /// <summary>Readers that wait for an index.</summary>
    public required AppliedGate Gate { get; init; }

    /// <summary>Keeps the time of leases.</summary>
    public required LeaseClock Leases { get; init; }

    /// <summary>Tells the others of leases, and remembers what it was told.</summary>
    public required LeaseTeller Teller { get; init; }

    /// <summary>Brings changes to those who watch.</summary>
    public required WatchHub Hub { get; init; }

    /// <summary>The raft loop's queue.</summary>
    public required Inbox<RaftCompletion> Raft { get; init; }

    /// <summary>Reaches the other members; null if there are none to be reached.</summary>
    public IPeerTransport? Transport { get; init; }

    /// <summary>Counts.</summary>
    public required ServerMetrics Metrics { get; init; }

    /// <summary>The clock of what is counted.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Says which requests took long.</summary>
    public required Requests.SlowRequests Slow { get; init; }

    /// <summary>This member.</summary>
    public required ulong MemberId { get; init; }

    /// <summary>What the node was told.</summary>
    public required NodeOptions Options { get; init; }
}

/// <summary>Sole writer of the state: applies what is committed, shows it to readers, tells those who wait, and passes the changes on.</summary>
/// <remarks>
/// <para>
/// Order after a batch, which is what makes an acknowledgement mean something: publish the view; tell the lease clock; open the gate for readers; append to the
/// ring of watchers; only then complete the proposals. So whoever was told of a write finds it, whoever was told of a revocation cannot renew.
/// </para>
/// <para>Nothing here waits for the disk: rows go into memory, and from there to the segments by somebody else.</para>
/// </remarks>
internal sealed class ApplyLoop
{
    // One step of a sweep looks at so many keys: well under a millisecond, so that applying goes on in between.
    private const int SweepKeysPerStep = 500;

    private readonly ApplyLoopParts _parts;
    private readonly AsyncSignal _wake = new();
    private readonly AsyncSignal _room = new();
    private readonly Inbox<Committed> _inbox;
    private readonly Inbox<Call> _callers;
    private readonly List<ApplyResult> _results = [];
    private List<Committed> _batch = [];
    private List<Call> _calls = [];
    private ulong _clockTerm;
    private TaskCompletionSource? _swept;
    private bool _stopping;

    /// <summary>Creates a loop that does not run yet.</summary>
    /// <param name="parts">What it works with.</param>
    public ApplyLoop(ApplyLoopParts parts)
    {
        _parts = parts;
        _inbox = new Inbox<Committed>(LoopLimits.ApplyWorkCapacity, _wake);
        _callers = new Inbox<Call>(LoopLimits.ApplyWorkCapacity, _wake);
    }

    /// <summary>Raised on the loop after entries were applied; the argument is the index of the last.</summary>
    public event Action<ulong>? Applied;

    /// <summary>Raised on the loop when this member was removed from the cluster.</summary>
    public event Action? Removed;

    /// <summary>Hands over committed entries. The raft loop.</summary>
    /// <param name="message">A message to <see cref="LocalTarget.ApplyThread"/>.</param>
    public void Post(Message message)
    {
        Invariant.Holds(message.Type == MessageType.StorageApply);
        Invariant.Holds(_inbox.TryPostAfterTurn(new Committed(message, _parts.Slow.Now)) || Volatile.Read(ref _stopping));
    }

    /// <summary>Does something with the state, between two messages of entries. Any thread.</summary>
    /// <typeparam name="T">What comes of it.</typeparam>
    /// <param name="function">What to do; short, without waiting. If it fails, so does the loop.</param>
    /// <returns>What came of it; cancelled if the loop ended before.</returns>
    public Task<T> CallAsync<T>(Func<StateMachine, T> function)
    {
        var outcome = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_callers.TryPost(new Call(state => outcome.SetResult(function(state)), () => outcome.TrySetCanceled())))
        {
            outcome.SetCanceled();
        }

        // The loop may be waiting for room, which perhaps only this call can make.
        _room.Set();
        return outcome.Task;
    }

    /// <summary>Goes over to a newer state that was received. Nothing may be handed over meanwhile. Any thread.</summary>
    /// <param name="delta">What makes it out of the present one.</param>
    /// <returns>False if the state is as new already.</returns>
    public Task<bool> InstallAsync(StateDelta delta) => CallAsync(state =>
    {
        if (state.Applied.Index >= delta.Applied.Index)
        {
            return false;
        }

        state.Install(delta);
        state.Publish();
        _parts.Teller.Memory.Restart(state.Applied);
        _parts.Facts.AppliedTerm = state.Applied.Term;
        _parts.Facts.Applied = state.Applied.Index;
        _parts.Gate.Open(state.Applied.Index);
        _parts.Hub.Restart(state.Revision);
        _parts.Hub.RulesChanged();
        TellPeers();
        return true;
    });

    /// <summary>Waits until compactions have been carried out. Any thread.</summary>
    /// <returns>Completes when nothing is left to sweep.</returns>
    public Task SweptAsync()
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var current = Interlocked.CompareExchange(ref _swept, mine, null) ?? mine;
        _wake.Set();
        return current.Task;
    }

    /// <summary>Says that rows were moved to the segments. The housekeeping loop.</summary>
    public void RoomMade() => _room.Set();

    /// <summary>Tells the transport who the others are. Any thread.</summary>
    public void TellPeers()
    {
        var others = _parts.State.View.Members.Members.Where(member => member.Id != _parts.MemberId);
        _parts.Transport?.SetPeers([.. others.Select(member => new PeerAddress(member.Id, PeerUrls.Of(member, _parts.Options)))]);
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when all that was handed over has been applied.</returns>
    public async Task RunAsync()
    {
        try
        {
            await WorkAsync();
        }
        finally
        {
            Stop();
            CancelCalls();
        }
    }

    /// <summary>Ends the loop when its queue is empty; nothing more is taken.</summary>
    public void Stop()
    {
        _inbox.Close();
        _callers.Close();
        Volatile.Write(ref _stopping, true);
        _wake.Set();
        _room.Set();
    }

    private async Task WorkAsync()
    {
        while (true)
        {
            while (AnswerCalls() | _inbox.Drain(ref _batch))
            {
                foreach (var committed in _batch)
                {
                    LoopTurn.Release();
                    await WaitForRoomAsync();
                    await ApplyAsync(committed);
                }

                _batch.Clear();
            }

            if (Volatile.Read(ref _stopping))
            {
                return;
            }

            if (Sweep())
            {
                // More to sweep: whatever came in meanwhile goes first.
                await Task.Yield();
                continue;
            }

            Interlocked.Exchange(ref _swept, null)?.SetResult();

            await _wake.WaitAsync();
        }
    }

    private bool Sweep()
    {
        if (!_parts.State.IsSweeping)
        {
            return false;
        }

        var began = _parts.Time.GetTimestamp();
        try
        {
            var isMore = _parts.State.Sweep(SweepKeysPerStep);
            _parts.Metrics.Compactions.NoteStep(_parts.Time, began, isLast: !isMore, _parts.State.DroppedVersions);
            return isMore;
        }
        catch (CorruptionException damage)
        {
            _parts.DamageMet(damage);
            _parts.State.ForgoCompactionHash();
            return true;
        }
    }

    private void CancelCalls()
    {
        do
        {
            _calls.ForEach(static call => call.Cancel());
            _calls.Clear();
        }
        while (_callers.Drain(ref _calls));
        Interlocked.Exchange(ref _swept, null)?.TrySetCanceled();
    }

    /// <summary>Waits while the rows in memory are as many as may be: the disk does not keep up, hangs, or is full. Calls are answered meanwhile, since
    /// salvaging what a failed file leaves is one.</summary>
    private async ValueTask WaitForRoomAsync()
    {
        var room = _parts.RevisionLog.TailRoomBytes;
        if (room < _parts.RevisionLog.TailRoomBytesMax / 2)
        {
            _parts.RoomWanted();
        }

        while (room <= 0 && !Volatile.Read(ref _stopping))
        {
            await _room.WaitAsync();
            AnswerCalls();
            room = _parts.RevisionLog.TailRoomBytes;
        }
    }

    private bool AnswerCalls()
    {
        if (!_callers.Drain(ref _calls))
        {
            return false;
        }

        foreach (var call in _calls)
        {
            call.Action(_parts.State);
        }

        _calls.Clear();
        return true;
    }

    /// <summary>Applies a message. An entry that needs a damaged row waits until the row is healed: nobody else waits for it, and nothing is made up.</summary>
    private async ValueTask ApplyAsync(Committed committed)
    {
        var message = committed.Message;
        for (var left = message.Entries; ;)
        {
            var count = ApplyUntilDamage(left.Span);
            if (count > 0)
            {
                Show(left.Span[..count], committed.At);
                left = left[count..];
            }

            if (left.IsEmpty)
            {
                break;
            }

            await _room.WaitAsync();
            AnswerCalls();
            if (Volatile.Read(ref _stopping))
            {
                return;
            }
        }

        _parts.Facts.HaltedBy = null;
        Invariant.Holds(_parts.Raft.TryPostAfterTurn(RaftCompletion.OfApply(message)));
        Applied?.Invoke(message.Entries.Span[^1].Index);
    }

    /// <summary>Applies entries up to the first that meets a damaged row, which changes nothing.</summary>
    /// <returns>How many were applied.</returns>
    private int ApplyUntilDamage(ReadOnlySpan<Entry> entries)
    {
        var count = 0;
        var began = _parts.Time.GetTimestamp();
        try
        {
            foreach (ref readonly var entry in entries)
            {
                ApplyOne(entry);
                count++;
                var ended = _parts.Time.GetTimestamp();
                _parts.Metrics.Applies.Note(entry.Data, _results[^1].Error is StoreError.None or StoreError.Compacted, _parts.Time.GetElapsedTime(began, ended));
                began = ended;
            }
        }
        catch (CorruptionException damage) when (RevisionLog.TryIdentify(damage.Path, out _))
        {
            _parts.Facts.HaltedBy = damage.Message;
            _parts.DamageMet(damage);
        }

        return count;
    }

    private void Show(ReadOnlySpan<Entry> entries, long committedAt)
    {
        _parts.State.Publish();
        var last = entries[^1];
        TellClock(entries);
        _parts.Facts.AppliedTerm = last.Term;
        _parts.Facts.Applied = last.Index;
        _parts.Gate.Open(last.Index);
        TellWatchers();
        TellOfRules();
        TellProposers(new Requests.BatchTimes(entries[0].Index, committedAt, _parts.Slow.Now));
        _results.Clear();
    }

    private void ApplyOne(in Entry entry)
    {
        Invariant.Holds(entry.Type != EntryType.ConfChangeV2);
        var kind = entry.Type == EntryType.ConfChange ? EntryKind.ConfChange : EntryKind.Normal;
        var result = _parts.State.Apply(new CommittedEntry(entry.Term, entry.Index, kind, entry.Data));
        _results.Add(result);
        if (result.Effect is MembersChanged changed)
        {
            TellCore(entry, changed);
        }
        else if (kind == EntryKind.ConfChange)
        {
            // Not even a change that could be judged: the core is told, so that it lets the next one in.
            Invariant.Holds(_parts.Raft.TryPost(RaftCompletion.OfConfChange(default)));
        }
    }

    private void TellCore(in Entry entry, MembersChanged changed)
    {
        Invariant.Holds(ConfChangeWire.TryRead(entry.Data, out var change));
        var isRefused = changed.Error != StoreError.None;
        Invariant.Holds(_parts.Raft.TryPost(RaftCompletion.OfConfChange(isRefused ? change with { MemberId = 0 } : change)));
        if (!isRefused && change.Type == ConfChangeType.RemoveNode && change.MemberId == _parts.MemberId)
        {
            Removed?.Invoke();
        }
    }

    private void TellClock(ReadOnlySpan<Entry> entries)
    {
        for (var i = 0; i < entries.Length; i++)
        {
            TellClock(entries[i], _results[i]);
        }

        // An entry of the term in which this member leads has been applied: every lease of earlier terms is known, and the time of all begins anew.
        var leads = _parts.Facts.LeadingTerm;
        if (leads != 0 && leads == entries[^1].Term && leads != _clockTerm)
        {
            _clockTerm = leads;
            _parts.Leases.Begin(leads, _parts.State.View.Leases.List());
            _parts.Teller.Wake();
        }
    }

    private void TellClock(in Entry entry, in ApplyResult result)
    {
        _parts.Teller.Memory.Observe(entry.Term, entry.Index, result.Effect);
        switch (result.Effect)
        {
            case LeaseGranted granted:
                _parts.Metrics.LeasesGranted.Add();
                _parts.Metrics.LeaseTtl.Observe(granted.Lease.GrantedTtl);
                _parts.Leases.Granted(granted.Lease);
                break;
            case LeaseRevoked revoked:
                _parts.Metrics.LeasesRevoked.Add();
                _parts.Leases.Revoked(revoked.Id);
                break;
            case LeasesCheckpointed checkpointed:
                foreach (var lease in checkpointed.Leases)
                {
                    _parts.Leases.Checkpointed(lease);
                }

                break;
            case null when result.Error != StoreError.None && LeaseRevocation.TryRead(entry.Data.Span, out var kept):
                _parts.Leases.RevocationRefused(kept);
                break;
            default:
                break;
        }
    }

    private void TellWatchers()
    {
        var any = false;
        foreach (var result in _results)
        {
            if (!result.Events.IsEmpty)
            {
                _parts.Metrics.NoteEvents(result.Events.Span);
                _parts.Hub.Append(new RevisionEvents(result.Events));
                any = true;
            }
        }

        if (any)
        {
            _parts.Hub.Wake();
        }
    }

    /// <summary>Tells those who work by the view's users and members that it shows others now.</summary>
    private void TellOfRules()
    {
        var (users, members) = (false, false);
        foreach (var result in _results)
        {
            users |= result.Effect is AuthChanged;
            members |= result.Effect is MembersChanged;
        }

        if (users)
        {
            _parts.Hub.RulesChanged();
        }

        if (members)
        {
            TellPeers();
        }
    }

    private void TellProposers(in Requests.BatchTimes times)
    {
        for (var i = 0; i < _results.Count; i++)
        {
            var result = _results[i];
            if (result.RequestId != 0 && _parts.Proposals.Take(result.RequestId) is { } proposal)
            {
                proposal.TryComplete(new ProposalOutcome(NodeError.None, result), followsTurn: _results.Count == 1);
                _parts.Slow.Applied(proposal, i, times, result.Error);
            }
        }
    }

    /// <summary>Entries to apply, and when they were handed over, as a timestamp.</summary>
    private readonly record struct Committed(Message Message, long At);

    /// <summary>Something to do with the state, and what tells the caller that it is not done.</summary>
    private readonly record struct Call(Action<StateMachine> Action, Action Cancel);
}
