using System.Threading.Tasks.Sources;
using Cairn.Server.Loops;
using Cairn.State;

namespace Cairn.Server.Proposals;

/// <summary>What became of a proposal.</summary>
/// <param name="Error">Why it was not applied here; none if it was, whatever the state machine said to it.</param>
/// <param name="Result">What the state machine said.</param>
internal readonly record struct ProposalOutcome(NodeError Error, ApplyResult? Result);

/// <summary>One request on its way through the log, and the caller that waits for it.</summary>
/// <remarks>
/// Completed once: by the apply loop, the client's cancellation, a refusal, or a time limit, whoever is first. The caller continues on the scheduler, or where
/// the apply loop ran once that sleeps, never on the stack of who completed it. One object does for entry, table and task, since there is one for every write.
/// </remarks>
internal sealed class Proposal : IValueTaskSource<ProposalOutcome>, ITurnFollower
{
    private ManualResetValueTaskSourceCore<ProposalOutcome> _core = new() { RunContinuationsAsynchronously = true };
    private ProposalOutcome _outcome;
    private bool _isAwaitedWithoutScheduler;
    private int _completed;
    private ProposalTable? _table;
    private CancellationTokenRegistration _clientLeaves;

    /// <summary>Creates a proposal that nobody has seen.</summary>
    /// <param name="id">Its id, as in its header.</param>
    /// <param name="data">Payload of its entry.</param>
    /// <param name="began">When the request came, as a timestamp.</param>
    public Proposal(ulong id, byte[] data, long began)
    {
        Id = id;
        Data = data;
        Began = began;
    }

    /// <summary>Id, as in the header of the entry (or of the configuration change).</summary>
    public ulong Id { get; }

    /// <summary>Payload of the entry.</summary>
    public byte[] Data { get; }

    /// <summary>When the request came, as a timestamp.</summary>
    public long Began { get; }

    /// <summary>Whether the core took it; from then on its fate is unknown until it is applied.</summary>
    public bool IsAccepted => Term != 0;

    /// <summary>When the core took it, as a timestamp; 0 until then. Set by the raft loop.</summary>
    public long AcceptedAt { get; set; }

    /// <summary>The term in which the core took it; 0 until then. Set by the raft loop.</summary>
    public ulong Term { get; set; }

    /// <summary>Whether it is a configuration change, to be proposed as one.</summary>
    public Raft.ConfChange? Change { get; init; }

    /// <summary>Whether somebody has completed it: nobody waits any more.</summary>
    public bool IsCompleted => Volatile.Read(ref _completed) != 0;

    /// <summary>Waits, as long as its client does. Once.</summary>
    /// <param name="table">Where it waits; it is taken out when the client goes.</param>
    /// <param name="cancelled">The client does not wait any longer.</param>
    /// <returns>What became of it; to be awaited once.</returns>
    public ValueTask<ProposalOutcome> WaitAsync(ProposalTable table, CancellationToken cancelled)
    {
        if (cancelled.CanBeCanceled)
        {
            _table = table;
            _clientLeaves = cancelled.UnsafeRegister(static state => ((Proposal)state!).Abandon(), this);
        }

        return new(this, _core.Version);
    }

    /// <summary>Completes it, unless somebody did.</summary>
    /// <param name="outcome">What became of it.</param>
    /// <param name="followsTurn">Whether its caller goes on where the present loop runs, after the loop's turn.</param>
    /// <returns>False if somebody was first.</returns>
    public bool TryComplete(in ProposalOutcome outcome, bool followsTurn = false)
    {
        if (Interlocked.Exchange(ref _completed, 1) != 0)
        {
            return false;
        }

        _outcome = outcome;
        if (followsTurn)
        {
            LoopTurn.Follow(this);
        }
        else
        {
            GoOnElsewhere();
        }

        return true;
    }

    /// <inheritdoc/>
    public void GoOnElsewhere() => _core.SetResult(_outcome);

    void ITurnFollower.GoOnHere()
    {
        // Who does not wait yet would go on in the middle of what it does; who has a scheduler goes on there.
        _core.RunContinuationsAsynchronously = !Volatile.Read(ref _isAwaitedWithoutScheduler);
        _core.SetResult(_outcome);
    }

    ProposalOutcome IValueTaskSource<ProposalOutcome>.GetResult(short token)
    {
        _clientLeaves.Dispose();
        return _core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<ProposalOutcome>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<ProposalOutcome>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags)
    {
        _core.OnCompleted(continuation, state, token, flags);
        Volatile.Write(ref _isAwaitedWithoutScheduler, SynchronizationContext.Current is null && TaskScheduler.Current == TaskScheduler.Default);
    }

    private void Abandon() => _table!.Refuse(this, NodeError.Canceled); // Set before the registration.
}
