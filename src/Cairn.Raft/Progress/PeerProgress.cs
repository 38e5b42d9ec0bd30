using System.Globalization;
using System.Text;

namespace Cairn.Raft.Progress;

/// <summary>What the leader knows of one peer's log, and how it sends to it. Owned by the leader's tracker; not thread-safe.</summary>
/// <remarks>
/// <code>
///            Match        Next              last
///   ... x x x  x  . . . .  n  - - - - - - -  l
///              |  in flight |  to be sent
/// </code>
/// Invariant: Match is below Next. Source: etcd-io/raft, tracker/progress.go.
/// </remarks>
internal sealed class PeerProgress
{
    public required Inflights Inflights { get; init; }

    /// <summary>Up to here the peer's log is known to be the leader's.</summary>
    public ulong Match { get; private set; }

    /// <summary>The next entry to send.</summary>
    public ulong Next { get; set; }

    public ProgressState State { get; private set; }

    /// <summary>The index of the snapshot on its way; 0 when there is none.</summary>
    public ulong PendingSnapshot { get; set; }

    /// <summary>Whether anything was heard from the peer since the last quorum check.</summary>
    public bool RecentlyActive { get; set; }

    /// <summary>Whether appends wait for an answer, be it to a probe or to a full window; a heartbeat's answer lets one more through.</summary>
    public bool AppendsPaused { get; set; }

    public bool IsLearner { get; set; }

    /// <summary>The highest commit index that was sent and may still be on its way.</summary>
    public ulong SentCommit { get; set; }

    public bool IsPaused => State == ProgressState.Snapshot || AppendsPaused;

    /// <summary>A copy that shares the in-flight window: the original must not be used afterwards.</summary>
    public PeerProgress Clone() => (PeerProgress)MemberwiseClone();

    /// <summary>Forgets all but who the peer is; done at each change of term or role.</summary>
    public void Restart(ulong match, ulong next)
    {
        Enter(ProgressState.Probe);
        Match = match;
        Next = next;
        RecentlyActive = false;
        SentCommit = 0;
    }

    public void BecomeProbe()
    {
        // A snapshot that arrived is where to go on from; the pending index is 0 if it failed.
        var next = State == ProgressState.Snapshot ? Math.Max(Match + 1, PendingSnapshot + 1) : Match + 1;
        Enter(ProgressState.Probe);
        Next = next;
        SentCommit = Math.Min(SentCommit, Next - 1);
    }

    public void BecomeReplicate()
    {
        Enter(ProgressState.Replicate);
        Next = Match + 1;
    }

    public void BecomeSnapshot(ulong index)
    {
        Enter(ProgressState.Snapshot);
        PendingSnapshot = index;
        Next = index + 1;
        SentCommit = index;
    }

    /// <summary>Notes an append message that was sent from <see cref="Next"/> on.</summary>
    public void NoteSent(int entries, ulong bytes)
    {
        Invariant.Holds(State != ProgressState.Snapshot);
        if (State == ProgressState.Probe)
        {
            AppendsPaused |= entries > 0;
            return;
        }

        if (entries > 0)
        {
            Next += (ulong)entries;
            Inflights.Add(Next - 1, bytes);
        }

        // With a full window every further message is a probe, which shows whether the window was lost.
        AppendsPaused = Inflights.IsFull;
    }

    /// <summary>Whether sending this commit index can move the peer's: not if one that reaches the end of what was sent is on its way already.</summary>
    public bool CanBumpCommit(ulong commit) => commit > SentCommit && SentCommit < Next - 1;

    /// <summary>Takes an acknowledgement; false if it is old.</summary>
    public bool TryAdvance(ulong index)
    {
        if (index <= Match)
        {
            return false;
        }

        Match = index;
        Next = Math.Max(Next, index + 1);
        AppendsPaused = false;
        Invariant.Holds(Match < Next);
        return true;
    }

    /// <summary>Takes a rejection of the append at <paramref name="rejected"/> and steps back to where logs may match; false if it is old.</summary>
    public bool TryStepBack(ulong rejected, ulong matchHint)
    {
        if (State == ProgressState.Replicate)
        {
            if (rejected <= Match)
            {
                return false;
            }

            Next = Match + 1;
            SentCommit = Math.Min(SentCommit, Next - 1);
            return true;
        }

        // A probe is one message: a rejection of anything else answers an earlier one.
        if (Next - 1 != rejected)
        {
            return false;
        }

        Next = Math.Max(Math.Min(rejected, matchHint + 1), Match + 1);
        SentCommit = Math.Min(SentCommit, Next - 1);
        AppendsPaused = false;
        Invariant.Holds(Match < Next);
        return true;
    }

    /// <summary>Prints as traces do.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"State{State} match={Match} next={Next}");
        text.Append(IsLearner ? " learner" : string.Empty).Append(IsPaused ? " paused" : string.Empty);
        if (PendingSnapshot > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" pendingSnap={PendingSnapshot}");
        }

        text.Append(RecentlyActive ? string.Empty : " inactive");
        if (Inflights.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" inflight={Inflights.Count}").Append(Inflights.IsFull ? "[full]" : string.Empty);
        }

        return text.ToString();
    }

    private void Enter(ProgressState state)
    {
        AppendsPaused = false;
        PendingSnapshot = 0;
        State = state;
        Inflights.Clear();
    }
}
