using System.Diagnostics.CodeAnalysis;
using Cairn.Protocol.Peers;
using Cairn.State.Lease;

namespace Cairn.Server.Leases;

/// <summary>Keeps the time of leases while this member leads.</summary>
/// <remarks>
/// <para>
/// A lease may live longer than its time to live, never shorter, and only time in which renewals could be processed counts. So the clock runs on time of
/// its own, <see cref="CountedTime"/>.
/// </para>
/// <para>
/// Renewals are not in the log, so whoever applies a revocation cannot judge it. The raft loop decides, in the term in which it leads, and proposes at once;
/// from then until the outcome is known a renewal waits. Example: time to live 10 s, last renewed at 100 s of this clock: at 110 s it is handed out for
/// revocation; a renewal that comes now waits; the entry is applied, the lease is gone, and the waiter is told so. Were the proposal refused, the waiter
/// would try again, and find the lease as it was.
/// </para>
/// <para>
/// A new leader gives everyone the full time, so with leaders that change often nobody would ever end. Therefore a lease that was not renewed for half of its
/// time is checkpointed: the log says how long it has left, and the next leader begins there. A renewal of such a lease is acknowledged only when the log has taken that back.
/// Where all members are of Cairn the others are told of each change besides, in memory, and the next leader goes on with what they remember (<see cref="LeaseTeller"/>).
/// Where they are not told, a lease that this leader has not heard of since it began to lead is checkpointed after half a second already, since leaders may last for seconds only.
/// </para>
/// <para>Any thread; one lock, no callbacks. Sources: etcd server/lease/lessor.go; issues etcd 15247, 20615, 13932, 9395.</para>
/// </remarks>
internal sealed class LeaseClock
{
    /// <summary>Most leases revoked in a second, as etcd: each is an entry of the log, and other proposals want their turn.</summary>
    internal const int ExpiriesPerSecondMax = 1000;

    /// <summary>Most leases in one checkpoint, as etcd: an entry of some kilobytes.</summary>
    internal const int CheckpointLeasesMax = 1000;

    // As etcd: what an alarm or a permission refused is tried again after a while.
    private static readonly TimeSpan RetryRefusedAfter = TimeSpan.FromSeconds(3);

    // What a leader is in office since it last said so does not count against the dead; an entry says it of a thousand leases.
    private static readonly TimeSpan CheckpointStepMin = TimeSpan.FromSeconds(0.5);

    private readonly Lock _lock = new();
    private readonly CountedTime _counted;
    private readonly TimeSpan _electionTimeout;
    private readonly List<LeaseListener> _listeners = [];
    private readonly Dictionary<long, LeaseTimer> _leases = [];
    private readonly PriorityQueue<LeaseTimer, TimeSpan> _byDeadline = new();
    private readonly PriorityQueue<LeaseTimer, TimeSpan> _byIdleness = new();
    private TimeSpan _now;
    private TimeSpan _begunAt;
    private double _credit;
    private ulong _changes;
    private ulong _term;

    /// <summary>Creates a clock that keeps no time.</summary>
    /// <param name="time">Where time comes from; only the monotonic part is used.</param>
    /// <param name="heartbeat">Interval between ticks of the raft loop.</param>
    /// <param name="electionTimeout">Time after which clients look for another leader.</param>
    public LeaseClock(TimeProvider time, TimeSpan heartbeat, TimeSpan electionTimeout)
    {
        _counted = new CountedTime(time, heartbeat, electionTimeout);
        _electionTimeout = electionTimeout;
    }

    /// <summary>Term in which this member keeps the time; 0 while it does not.</summary>
    public ulong Term => Volatile.Read(ref _term);

    /// <summary>Number of the last change that listeners have to know; 0 if nobody is told.</summary>
    public ulong Changes
    {
        get
        {
            lock (_lock)
            {
                return _listeners.Count == 0 ? 0 : _changes;
            }
        }
    }

    /// <summary>Number of leases whose time is kept.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _leases.Count;
            }
        }
    }

    /// <summary>Begins to keep time: this member leads, and has applied an entry of its own term. Every lease has its full time again, or what the log says it has left.</summary>
    /// <param name="term">The term in which it leads.</param>
    /// <param name="leases">All leases.</param>
    public void Begin(ulong term, IEnumerable<LeaseInfo> leases)
    {
        lock (_lock)
        {
            Invariant.Holds(term > _term);
            Clear_NeedsLock();
            _term = term;
            _counted.Restart();
            _begunAt = _now;
            foreach (var lease in leases)
            {
                // Nobody may have been heard for an election timeout, so whoever has less than that left has that long to be heard now.
                Add_NeedsLock(lease, _electionTimeout, isUnheard: true);
            }
        }
    }

    /// <summary>Ceases to keep time: this member does not lead any more, or no longer in that term.</summary>
    public void Cease()
    {
        lock (_lock)
        {
            Clear_NeedsLock();
        }
    }

    /// <summary>Begins a lease that was just granted. The apply loop only.</summary>
    /// <param name="lease">It.</param>
    public void Granted(LeaseInfo lease)
    {
        lock (_lock)
        {
            if (_term != 0)
            {
                Add_NeedsLock(lease, TimeSpan.Zero, isUnheard: false);
                Changed_NeedsLock(lease.Id);
            }
        }
    }

    /// <summary>Learns that somebody's revocation is in the log: who renews waits for the outcome. The raft loop only, on the leader.</summary>
    /// <param name="id">Its id.</param>
    public void RevocationBegun(long id)
    {
        lock (_lock)
        {
            if (_leases.TryGetValue(id, out var lease))
            {
                lease.Revocation ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    /// <summary>Learns that the state machine refused a revocation: an alarm or a permission forbids it now. The apply loop only.</summary>
    /// <param name="id">Its id.</param>
    public void RevocationRefused(long id) => KeepOn(id, RetryRefusedAfter);

    /// <summary>Learns what the log says of idleness. The apply loop only.</summary>
    /// <param name="lease">The lease as it is now.</param>
    public void Checkpointed(LeaseInfo lease)
    {
        lock (_lock)
        {
            if (!_leases.TryGetValue(lease.Id, out var timer))
            {
                return;
            }

            timer.Checkpointed = lease.Remaining;
            timer.IsCheckpointUnderWay &= !timer.IsCheckpointed;
        }
    }

    /// <summary>Forgets a lease that was just revoked, before anyone is told. The apply loop only.</summary>
    /// <param name="id">Its id.</param>
    public void Revoked(long id)
    {
        TaskCompletionSource? waiters = null;
        lock (_lock)
        {
            if (_leases.Remove(id, out var lease))
            {
                waiters = lease.Revocation;
                Changed_NeedsLock(id);
            }
        }

        waiters?.SetResult();
    }

    /// <summary>Takes back a revocation that was decided but could not be proposed: the lease is judged again at a later tick. The raft loop only.</summary>
    /// <param name="id">Its id.</param>
    public void NotRevoked(long id) => KeepOn(id, TimeSpan.Zero);

    /// <summary>Takes back a checkpoint that was decided but could not be proposed. The raft loop only.</summary>
    /// <param name="id">The lease.</param>
    public void NotCheckpointed(long id)
    {
        lock (_lock)
        {
            if (_leases.TryGetValue(id, out var lease))
            {
                lease.IsCheckpointUnderWay = false;
            }
        }
    }

    /// <summary>Lets time pass and hands out what has ended. The raft loop only, at each tick.</summary>
    /// <param name="leadsInTerm">Term in which this member leads now; 0 if it does not.</param>
    /// <param name="unheard">How long ago a quorum was last heard; zero for a member that is alone.</param>
    /// <param name="ended">Receives the ids to revoke; each is handed out once, until <see cref="Revoked"/> or <see cref="NotRevoked"/>.</param>
    public void Tick(ulong leadsInTerm, TimeSpan unheard, List<long> ended)
    {
        lock (_lock)
        {
            var counted = _counted.Pass(unheard);
            if (_term != 0 && leadsInTerm != _term)
            {
                Clear_NeedsLock();
            }

            if (_term == 0)
            {
                return;
            }

            _now += counted;
            _credit = Math.Min(_credit + (counted.TotalSeconds * ExpiriesPerSecondMax), ExpiriesPerSecondMax);
            while (_credit >= 1 && TryTakeEnded_NeedsLock(out var lease))
            {
                lease.Revocation = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                ended.Add(lease.Id);
                _credit--;
            }
        }
    }

    /// <summary>Hands out what was idle for so long that the next leader should know. The raft loop only, after <see cref="Tick"/>.</summary>
    /// <param name="idle">Receives the leases with the time that they have left; each is under way until <see cref="Checkpointed"/> or <see cref="NotCheckpointed"/>.</param>
    public void TakeIdle(List<LeaseInfo> idle)
    {
        lock (_lock)
        {
            while (idle.Count < CheckpointLeasesMax && TryTakeIdle_NeedsLock(out var lease))
            {
                lease.IsCheckpointUnderWay = true;
                idle.Add(new LeaseInfo(lease.Id, (long)lease.Ttl.TotalSeconds, TimeLeft_NeedsLock(lease)));
                _byIdleness.Enqueue(lease, _now + NextStep_NeedsLock(lease));
            }
        }
    }

    /// <summary>Gives a lease its full time again.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="ttl">Its time to live, when renewed.</param>
    /// <param name="revocation">What to wait for, when being revoked.</param>
    /// <returns>How it ended.</returns>
    public RenewOutcome Renew(long id, out TimeSpan ttl, out Task? revocation)
    {
        ttl = default;
        revocation = null;
        lock (_lock)
        {
            if (_term == 0)
            {
                return RenewOutcome.NotPrimary;
            }

            if (!_leases.TryGetValue(id, out var lease))
            {
                return RenewOutcome.Gone;
            }

            if (lease.Revocation is not null)
            {
                revocation = lease.Revocation.Task;
                return RenewOutcome.BeingRevoked;
            }

            // The queue learns of the later deadline when the earlier one comes up.
            lease.Deadline = Max(lease.Deadline, Latest_NeedsLock() + lease.Ttl);
            lease.IsUnheard = false;
            Changed_NeedsLock(id);
            ttl = lease.Ttl;
            return lease.MayBeCheckpointed ? RenewOutcome.Checkpointed : RenewOutcome.Renewed;
        }
    }

    /// <summary>Goes on where the former leader was: what nobody renewed since has no more than what it had then.</summary>
    /// <param name="term">Term in which this member asked for it.</param>
    /// <param name="left">Leases, and the time that they had left.</param>
    public void Recall(ulong term, IReadOnlyDictionary<long, TimeSpan> left)
    {
        lock (_lock)
        {
            foreach (var lease in term == _term ? _leases.Values.ToList() : [])
            {
                var deadline = left.TryGetValue(lease.Id, out var had) ? _begunAt + Max(had, _electionTimeout) : lease.Deadline;
                if (lease.IsUnheard && lease.Revocation is null && deadline < lease.Deadline)
                {
                    // The queues have it by the later deadline: it goes into them as another.
                    var sooner = lease.EndingAt(deadline);
                    _leases[lease.Id] = sooner;
                    Queue_NeedsLock(sooner, deadline);
                    _byIdleness.Enqueue(sooner, _now + CheckpointStepMin);
                }
            }
        }
    }

    /// <summary>Has these told of all changes from now on, and of all leases those that are new.</summary>
    /// <param name="term">Term in which this member tells it.</param>
    /// <param name="listeners">Who.</param>
    public void Tell(ulong term, IEnumerable<LeaseListener> listeners)
    {
        lock (_lock)
        {
            if (term == _term)
            {
                _listeners.Clear();
                _listeners.AddRange(listeners);
            }
        }
    }

    /// <summary>Takes what a listener was not told yet.</summary>
    /// <param name="term">Term in which this member tells it.</param>
    /// <param name="listener">Who.</param>
    /// <param name="news">Receives it, and what the clock shows.</param>
    /// <param name="changes">Number of the last change that the listener knows with it; of none if there is more to tell.</param>
    /// <returns>False if nothing is told to it in this term.</returns>
    public bool TryTakeNews(ulong term, LeaseListener listener, LeaseNews news, out ulong changes)
    {
        lock (_lock)
        {
            changes = 0;
            if (term != _term || !_listeners.Contains(listener))
            {
                return false;
            }

            listener.Take(_leases, news);
            news.Now = (long)_now.TotalMilliseconds;
            changes = news.IsAll ? _changes : 0;
            return true;
        }
    }

    /// <summary>Tells how long a lease has left.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="remaining">Time left, not negative.</param>
    /// <returns>False if its time is not kept here.</returns>
    public bool TryGetRemaining(long id, out TimeSpan remaining)
    {
        lock (_lock)
        {
            if (_leases.TryGetValue(id, out var lease))
            {
                remaining = Max(lease.Deadline - _now, TimeSpan.Zero);
                return true;
            }
        }

        remaining = default;
        return false;
    }

    /// <summary>Whether a lease is known here, and nobody is about to revoke it.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>False if only the log can tell.</returns>
    public bool IsAlive(long id)
    {
        lock (_lock)
        {
            return _leases.TryGetValue(id, out var lease) && lease.Revocation is null;
        }
    }

    private void KeepOn(long id, TimeSpan pause)
    {
        TaskCompletionSource? waiters = null;
        lock (_lock)
        {
            if (_leases.TryGetValue(id, out var lease) && lease.Revocation is not null)
            {
                waiters = lease.Revocation;
                lease.Revocation = null;
                if (!lease.HasDeadlineQueued)
                {
                    Queue_NeedsLock(lease, Max(lease.Deadline, _now + pause));
                }
            }
        }

        waiters?.SetResult();
    }

    private static TimeSpan Max(TimeSpan left, TimeSpan right) => left > right ? left : right;

    /// <summary>After how much more idleness the log is told again: some dozens of times at most.</summary>
    private TimeSpan NextStep_NeedsLock(LeaseTimer lease)
    {
        var left = lease.Deadline - _now;
        var idleFor = IsEarly_NeedsLock(lease) ? _now - _begunAt : lease.Ttl - left;
        return Max(TimeSpan.FromTicks(Math.Min(left.Ticks / 8, idleFor.Ticks / 4)), CheckpointStepMin);
    }

    /// <summary>Whether the log is told of a lease before it was idle for half of its time: where others are told, they know anyway.</summary>
    private bool IsEarly_NeedsLock(LeaseTimer lease) => lease.IsUnheard && _listeners.Count == 0;

    /// <summary>In milliseconds, as the log knows it, rounded up.</summary>
    private TimeSpan TimeLeft_NeedsLock(LeaseTimer lease) => TimeSpan.FromMilliseconds((long)Math.Ceiling((lease.Deadline - _now).TotalMilliseconds));

    /// <summary>Whether the log would learn anything; it hears of each lease once at a time, however long the disks take.</summary>
    private bool IsNews_NeedsLock(LeaseTimer lease) =>
        !lease.IsCheckpointUnderWay && TimeLeft_NeedsLock(lease) < (lease.IsCheckpointed ? lease.Checkpointed : lease.Ttl);

    /// <summary>Tells what time it may be: the next tick counts what has passed since the last one, and a lease that begins now must not pay for it.</summary>
    private TimeSpan Latest_NeedsLock() => _now + _counted.PendingMax;

    private void Changed_NeedsLock(long id)
    {
        _changes++;
        foreach (var listener in _listeners)
        {
            listener.Note(id);
        }
    }

    private bool TryTakeEnded_NeedsLock([NotNullWhen(true)] out LeaseTimer? ended)
    {
        while (_byDeadline.TryPeek(out ended, out var deadline) && deadline <= _now)
        {
            _byDeadline.Dequeue();
            ended.HasDeadlineQueued = false;
            if (!IsKept_NeedsLock(ended) || ended.Revocation is not null)
            {
                continue;
            }

            if (ended.Deadline <= _now)
            {
                return true;
            }

            Queue_NeedsLock(ended, ended.Deadline);
        }

        ended = null;
        return false;
    }

    private bool TryTakeIdle_NeedsLock([NotNullWhen(true)] out LeaseTimer? idle)
    {
        while (_byIdleness.TryPeek(out idle, out var when) && when <= _now)
        {
            _byIdleness.Dequeue();
            if (!IsKept_NeedsLock(idle))
            {
                continue;
            }

            var left = idle.Deadline - _now;
            if (left > idle.Ttl / 2 && !IsEarly_NeedsLock(idle))
            {
                // Renewed since, or others are told meanwhile; the queue learns of it now.
                _byIdleness.Enqueue(idle, idle.Deadline - (idle.Ttl / 2));
            }
            else if (left <= TimeSpan.Zero || idle.Revocation is not null)
            {
                // It has ended; or is kept on after all, and then idle again after half of its time at the earliest.
                _byIdleness.Enqueue(idle, _now + (idle.Ttl / 2));
            }
            else if (!IsNews_NeedsLock(idle))
            {
                _byIdleness.Enqueue(idle, _now + CheckpointStepMin);
            }
            else
            {
                return true;
            }
        }

        idle = null;
        return false;
    }

    private bool IsKept_NeedsLock(LeaseTimer lease) => _leases.TryGetValue(lease.Id, out var current) && ReferenceEquals(current, lease);

    private void Add_NeedsLock(LeaseInfo info, TimeSpan atLeast, bool isUnheard)
    {
        var left = info.Remaining > TimeSpan.Zero ? info.Remaining : TimeSpan.FromSeconds(info.GrantedTtl);
        var lease = new LeaseTimer(info.Id, TimeSpan.FromSeconds(info.GrantedTtl))
        {
            Deadline = Latest_NeedsLock() + Max(left, atLeast),
            Checkpointed = info.Remaining,
            IsUnheard = isUnheard,
        };
        _leases[info.Id] = lease;
        Queue_NeedsLock(lease, lease.Deadline);
        _byIdleness.Enqueue(lease, isUnheard ? _now + CheckpointStepMin : lease.Deadline - (lease.Ttl / 2));
    }

    private void Queue_NeedsLock(LeaseTimer lease, TimeSpan when)
    {
        Invariant.Holds(!lease.HasDeadlineQueued);
        lease.HasDeadlineQueued = true;
        _byDeadline.Enqueue(lease, when);
    }

    private void Clear_NeedsLock()
    {
        foreach (var lease in _leases.Values)
        {
            // They try again, and learn that this member keeps no time.
            lease.Revocation?.SetResult();
        }

        _leases.Clear();
        _byDeadline.Clear();
        _byIdleness.Clear();
        _listeners.Clear();
        _term = 0;
        _credit = 0;
    }
}
