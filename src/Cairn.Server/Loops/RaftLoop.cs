using Cairn.Raft;
using Cairn.Server.Proposals;
using Cairn.State.Schema;

namespace Cairn.Server.Loops;

/// <summary>Sole owner of the raft core: brings it ticks, proposals, messages and the end of its workers' work, and carries out what it wants done.</summary>
/// <remarks>
/// The loop never waits for the disk, the state machine or the network: each turn takes everything that has gathered, lets the core speak, and hands the work
/// out. So heartbeats, reads and the time of leases go on while a sync hangs. Order of a turn: what the workers finished, ticks, messages, proposals, reads;
/// then <see cref="CarryOut"/>.
/// </remarks>
internal sealed class RaftLoop
{
    // As etcd: what takes longer is worth a line.
    private static readonly TimeSpan SlowSync = TimeSpan.FromSeconds(1);

    // Half a second between attempts: soon enough for "resumes by itself within a second" when room comes back, rare enough for a disk that is gone.
    private static readonly TimeSpan RetryWriteAfter = TimeSpan.FromMilliseconds(500);

    private readonly RaftLoopParts _parts;
    private readonly AsyncSignal _wake = new();
    private readonly Inbox<RaftCompletion> _completions;
    private readonly Inbox<Proposal> _incoming;
    private readonly Inbox<Message> _messages;
    private readonly WalWriter _writer;
    private readonly KeptEntries _kept;
    private readonly ProposalIntake _intake;
    private readonly List<Message> _responses = [];
    private readonly QuorumContact _contact;
    private readonly LeaseExpiry _leases;
    private readonly Succession _succession;
    private List<RaftCompletion> _completionBatch = [];
    private List<Proposal> _proposalBatch = [];
    private List<Message> _messageBatch = [];
    private ApplyLoop? _apply;
    private int _ticks;
    private ulong _appliedTerm;
    private ulong _appliedIndex;
    private ulong? _aloneFrom;
    private ulong _handedOut;
    private long _lastWriteFailed;
    private bool _stopping;

    /// <summary>Creates a loop that does not run yet.</summary>
    /// <param name="parts">What it works with.</param>
    public RaftLoop(RaftLoopParts parts)
    {
        _parts = parts;
        _completions = new Inbox<RaftCompletion>(LoopLimits.CompletionsCapacity, _wake);
        _incoming = new Inbox<Proposal>(LoopLimits.ProposalsCapacity, _wake);
        _messages = new Inbox<Message>(LoopLimits.PeerMessagesCapacity, _wake);
        _writer = new WalWriter(parts, _completions, InstallAsync);
        _intake = new ProposalIntake(parts);
        _contact = new QuorumContact(parts.Time);
        _leases = new LeaseExpiry(parts, _contact);
        _succession = new Succession(parts);
        _appliedIndex = _handedOut = parts.Facts.Applied;
        _kept = new KeptEntries(parts.Log, _appliedIndex, parts.Options.CatchUpEntries);
    }

    /// <summary>Where the apply loop and others report.</summary>
    public Inbox<RaftCompletion> Completions => _completions;

    /// <summary>Raised on the loop when the leader that this member knows has changed.</summary>
    public event Action<ulong>? LeaderChanged;

    /// <summary>Offers a proposal. Any thread.</summary>
    /// <param name="proposal">In the table already.</param>
    /// <returns>False if too many wait, or the loop stops.</returns>
    public bool TryPropose(Proposal proposal) => _incoming.TryPost(proposal);

    /// <summary>Delivers a message of a peer. Any thread.</summary>
    /// <param name="message">The message.</param>
    /// <returns>False if too many wait: it is dropped.</returns>
    public bool TryReceive(Message message) => _messages.TryPost(message);

    /// <summary>Wakes the loop because a read waits. Any thread.</summary>
    public void Wake() => _wake.Set();

    /// <summary>Counts a tick. The timer.</summary>
    public void Tick()
    {
        Interlocked.Exchange(ref _ticks, 1);
        _wake.Set();
    }

    /// <summary>Learns that the process of another member has ended, which a leader is not waited for. Any thread.</summary>
    /// <param name="member">Which.</param>
    public void ReportEnded(ulong member) => _completions.TryPost(RaftCompletion.OfCall(_ => _succession.OnEnded(member)));

    /// <summary>Lets go of the log's files below an index, but for the entries that are kept for members that are behind: so a restart finds them. Any thread.</summary>
    /// <param name="index">No entry up to here is needed.</param>
    public void ReleaseLog(ulong index) =>
        _completions.TryPost(RaftCompletion.OfCall(_ => _writer.Release(Math.Min(index, _parts.Log.FirstIndex - 1))));

    /// <summary>Keeps the log in memory from forgetting what lies behind an index, until disposed. Any thread.</summary>
    /// <param name="index">The index.</param>
    /// <returns>The hold.</returns>
    public IDisposable HoldLog(ulong index)
    {
        _completions.TryPost(RaftCompletion.OfCall(_ => _kept.Hold(index)));
        return new LogHold(this, index);
    }

    /// <summary>Describes the core. Any thread.</summary>
    /// <returns>A copy, made on the loop.</returns>
    public Task<RaftStatus> DescribeAsync() => CallAsync(static core => core.Status());

    /// <summary>Does something with the core. Any thread.</summary>
    /// <typeparam name="T">What comes of it.</typeparam>
    /// <param name="function">What to do, on the loop.</param>
    /// <returns>What came of it; cancelled if the loop does not run any more.</returns>
    public Task<T> CallAsync<T>(Func<RaftNode, T> function)
    {
        var outcome = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Volatile.Read(ref _stopping) || !_completions.TryPost(RaftCompletion.OfCall(core => outcome.SetResult(function(core)))))
        {
            outcome.SetCanceled();
        }

        return outcome.Task;
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <param name="apply">Who applies what is committed.</param>
    /// <returns>Completes when stopped and no write is under way.</returns>
    public async Task RunAsync(ApplyLoop apply)
    {
        _apply = apply;
        ObserveConfiguration();
        CampaignIfAlone();
        while (true)
        {
            Turn();
            if (Volatile.Read(ref _stopping) && !_writer.IsWriting)
            {
                return;
            }

            await _wake.WaitAsync();
        }
    }

    /// <summary>Ends the loop: proposals are refused from now on, the write under way is waited for.</summary>
    public void Stop()
    {
        _incoming.Close();
        _messages.Close();
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    private void Turn()
    {
        LoopTurn.Release();
        TakeCompletions();
        if (Interlocked.Exchange(ref _ticks, 0) != 0)
        {
            OnTick();
        }

        TakeMessages();
        _succession.Act();
        TakeProposals();
        AskForReads();
        _parts.Facts.Durable = _parts.Core.DurableIndex; // Before anything is handed out: what a new leader replaced here is durable no more.
        CarryOut();
    }

    private void TakeCompletions()
    {
        if (!_completions.Drain(ref _completionBatch))
        {
            return;
        }

        foreach (ref readonly var completion in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_completionBatch))
        {
            switch (completion.Kind)
            {
                case RaftCompletion.Report.LogWritten:
                    OnLogWritten(completion.Failure);
                    break;
                case RaftCompletion.Report.Applied:
                    OnApplied(completion.Message!);
                    break;
                case RaftCompletion.Report.ConfChange:
                    OnConfChange(completion.Change);
                    break;
                default:
                    completion.Action!(_parts.Core);
                    break;
            }
        }

        _completionBatch.Clear();
    }

    private void OnLogWritten(Exception? failure)
    {
        _responses.Clear();
        _writer.Finish(failure, _responses);
        if (failure is not null)
        {
            if (failure is OperationCanceledException && Volatile.Read(ref _stopping))
            {
                // A snapshot was not installed any more; it will be sent again.
                return;
            }

            if (failure is not IOException)
            {
                throw new InvalidOperationException("The log could not be written.", failure);
            }

            _lastWriteFailed = _parts.Time.GetTimestamp();
            if (_parts.Facts.WriteFailure is null)
            {
                _parts.Logger.LogWriteFailed(failure.Message);
            }

            _parts.Facts.WriteFailure = failure;
            if (failure is Storage.DiskException { IsNoSpace: true })
            {
                _parts.NoSpaceFound();
            }

            return;
        }

        if (_parts.Facts.WriteFailure is not null)
        {
            _parts.Facts.WriteFailure = null;
            _parts.Logger.LogWriteResumed();
        }

        if (_writer.Installed is { } snapshot)
        {
            OnInstalled(snapshot);
        }

        _parts.Slow.Synced(_parts.Log.LastIndex);
        if (_writer.LastTook > SlowSync)
        {
            _parts.Logger.SlowSync(_writer.LastTook, SlowSync);
        }

        foreach (var response in _responses)
        {
            Deliver(response);
        }
    }

    private void OnInstalled(Snapshot snapshot)
    {
        (_appliedIndex, _appliedTerm) = (snapshot.Index, snapshot.Term);
        _kept.Clear();
        ObserveConfiguration();
    }

    /// <summary>Goes over to the state of a snapshot, once all that was handed out before has been applied.</summary>
    private Task InstallAsync(Snapshot snapshot) => _parts.Install(snapshot, _handedOut);

    private void OnApplied(Message message)
    {
        var last = message.Entries.Span[^1];
        Invariant.Holds(last.Index > _appliedIndex);
        _appliedIndex = last.Index;
        _appliedTerm = last.Term;
        _kept.Add(message.Entries.Span);
        foreach (var response in message.Responses)
        {
            Deliver(response);
        }

        if (_succession.HasSucceeded(_appliedTerm, out var endedTerm))
        {
            _intake.AbandonOrphans(endedTerm);
        }

        ObserveConfiguration();
        CampaignIfAlone();
        _kept.Trim(_appliedIndex, _parts.Facts.IsOnlyVoter, _parts.Core.ConfState);
    }

    private void OnConfChange(in ConfChange change)
    {
        var before = _parts.Core.ConfState;
        var error = _parts.Core.ApplyConfChange(change, out _);
        Invariant.Holds(error == Raft.Membership.MembershipError.None, $"{error}");
        _succession.OnConfChange(before);
        ObserveConfiguration();
    }

    /// <summary>Sets whether reads need a confirmation. They do not while this member is the only one and has applied an entry of the term in which it leads.</summary>
    /// <remarks>
    /// Why that is linearizable: an acknowledged write was applied and published here before its acknowledgement, since nobody else could commit it; so the
    /// newest view holds every write acknowledged before the read began. Nobody else can lead: an election needs this member's vote. Writes acknowledged before
    /// a restart are in the log, hence below the first entry of the new term, hence applied. When a second voter is added, the flag falls here, in the same
    /// turn in which the core learns of the voter, before anything is sent to it. A learner is enough to need the confirmation: it may apply its own promotion, and
    /// acknowledge what it proposed then, while this member's apply loop waits for room. So is one that was removed a moment ago, for what was committed until
    /// then.
    /// </remarks>
    private void ObserveConfiguration()
    {
        var status = _parts.Core.BasicStatus;
        var configuration = _parts.Core.ConfState;
        var isOnlyVoter = configuration is { Voters: [var voter], VotersOutgoing: [] } && voter == status.Id;
        _parts.Facts.IsOnlyVoter = isOnlyVoter;
        _parts.Facts.IsLearner = configuration.Learners.Contains(status.Id);
        _aloneFrom = isOnlyVoter && configuration.Learners.IsEmpty ? _aloneFrom ?? status.HardState.Commit : null;
        _parts.Facts.ReadsAreLocal =
            _appliedIndex >= _aloneFrom && status.SoftState.Role == RaftRole.Leader && _appliedTerm == status.HardState.Term;
    }

    /// <summary>Who is alone need not wait for an election timeout to find out that nobody leads.</summary>
    private void CampaignIfAlone()
    {
        if (_parts.Facts.IsOnlyVoter && _parts.Core.BasicStatus.SoftState is { Leader: 0, Role: RaftRole.Follower })
        {
            _parts.Core.Campaign();
        }
    }

    private void OnTick()
    {
        _parts.Core.Tick();
        _succession.OnTick();
        _parts.Facts.UnsyncedBytes = (long)_parts.Core.UnstableBytes;
        _leases.OnTick();
        RetryWrite();
        _intake.Expire();
        _intake.ProposeHeld();
    }

    private void RetryWrite()
    {
        if (_parts.Facts.WriteFailure is not null && _parts.Time.GetElapsedTime(_lastWriteFailed) >= RetryWriteAfter)
        {
            _writer.Retry();
        }
    }

    private void TakeMessages()
    {
        if (!_messages.Drain(ref _messageBatch))
        {
            return;
        }

        foreach (var message in _messageBatch)
        {
            var error = _parts.Core.Step(message);
            if (error == RaftError.LogLost)
            {
                // Nobody who remembers has refused this process yet.
                _parts.LogLost($"its leader {message.From:x} saw acknowledgements that this log does not hold");
                break;
            }

            _leases.Observe(message, error);
            if (error == RaftError.ProposalDropped)
            {
                _intake.Refused(message);
            }
        }

        _messageBatch.Clear();
    }

    private void TakeProposals()
    {
        if (_incoming.Drain(ref _proposalBatch))
        {
            _intake.Propose(_proposalBatch);
            _proposalBatch.Clear();
        }
    }

    private void AskForReads()
    {
        if (_parts.Reads.TryAsk(mayAsk: _parts.Facts.Leader != 0, out var context))
        {
            _parts.Core.ReadIndex(context);
        }
    }

    /// <summary>Does what the core wants done, until it wants no more.</summary>
    private void CarryOut()
    {
        while (_parts.Core.HasReady)
        {
            var ready = _parts.Core.Ready();
            if (ready.SoftState is { } softState)
            {
                OnSoftState(softState);
            }

            if (!ready.HardState.IsEmpty)
            {
                _parts.Headers.Term = ready.HardState.Term;
                _parts.Facts.Committed = ready.HardState.Commit;
            }

            foreach (var state in ready.ReadStates)
            {
                _parts.Reads.Confirmed(state.Context.Span, state.Index);
            }

            foreach (var message in ready.Messages)
            {
                Deliver(message);
            }
        }

        _writer.Start();
    }

    private void Deliver(Message message)
    {
        switch (message.To)
        {
            case LocalTarget.AppendThread:
                _writer.Add(message);
                break;
            case LocalTarget.ApplyThread:
                _handedOut = message.Entries.Span[^1].Index;
                _apply!.Post(message);
                break;
            case var to when to == _parts.Core.BasicStatus.Id:
                // A leader that was removed is not among those whose answers count, its own included.
                var error = _parts.Core.Step(message);
                Invariant.Holds(error is RaftError.None or RaftError.PeerNotFound, $"{error} of {message.Type}");
                break;
            default:
                Send(message);
                break;
        }
    }

    private void Send(Message message)
    {
        if (message.Type == MessageType.Snap)
        {
            _parts.OfferSnapshot(message);
        }
        else if (message.Type == MessageType.App && !message.Entries.IsEmpty && !_parts.IsRecordedAsCairn(message.To)
            && MembershipReplay.LastUnknownToEtcd(message.Entries.Span) is { } own && (own <= _appliedIndex || !_parts.ShowsItselfAsCairn(message.To)))
        {
            // Dropped: the core asks again, finds the entries gone, and has a state offered. One that is not applied yet is in no state, and may wait for this very member.
            _kept.Forget(own, _appliedIndex, _parts.Core.ConfState);
        }
        else
        {
            _parts.Send(message);
        }
    }

    private void OnSoftState(SoftState state)
    {
        var facts = _parts.Facts;
        var term = _parts.Core.BasicStatus.HardState.Term;
        var leads = state.Role == RaftRole.Leader;
        _parts.Headers.Term = Math.Max(_parts.Headers.Term, term);
        if (!leads && facts.LeadingTerm != 0)
        {
            facts.ReadsAreLocal = false;
            _parts.Leases.Cease();
        }

        if (leads && facts.LeadingTerm != term)
        {
            _contact.Forget();
        }

        facts.LeadingTerm = leads ? term : 0;
        if (facts.Leader == state.Leader)
        {
            return;
        }

        ObserveLeader(state.Leader, term);
        ObserveConfiguration();
    }

    private void ObserveLeader(ulong leader, ulong term)
    {
        var facts = _parts.Facts;
        if (leader == 0)
        {
            facts.LeaderLostAt = _parts.Time.GetTimestamp();
            _parts.Logger.LeaderLost(_parts.Headers.MemberId, facts.Leader, term);
        }
        else
        {
            _parts.Metrics.LeaderChanges.Add();
            _parts.Reads.LoseAnswer();
            _parts.Logger.LeaderElected(_parts.Headers.MemberId, leader, term);
            if (leader == _parts.Headers.MemberId)
            {
                _parts.Logger.BecameLeader(leader, term);
            }
        }

        facts.Leader = leader;
        LeaderChanged?.Invoke(leader);
        _intake.ProposeHeld();
    }

    private sealed class LogHold(RaftLoop loop, ulong index) : IDisposable
    {
        public void Dispose() => loop._completions.TryPost(RaftCompletion.OfCall(_ => loop._kept.Release(index)));
    }
}
