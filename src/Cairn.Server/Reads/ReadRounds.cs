using System.Buffers.Binary;

namespace Cairn.Server.Reads;

/// <summary>Gathers linearizable reads into rounds: one confirmation of leadership serves all that waited for it.</summary>
/// <remarks>
/// <para>
/// A read joins the round that has not begun. The raft loop begins a round when none is under way, asks the core with an id that was never used before, and
/// takes only the answer with that id: a confirmation of an earlier attempt proves nothing about reads that came later.
/// </para>
/// <para>Joined from any thread; everything else is the raft loop's. Sources: etcd server/etcdserver/v3_server.go; issues etcd 20418, 21378.</para>
/// </remarks>
/// <param name="ids">Makes ids.</param>
/// <param name="time">Measures retries and the time limit.</param>
/// <param name="timeout">After which a round fails.</param>
/// <param name="metrics">Counts what goes wrong.</param>
internal sealed class ReadRounds(Proposals.RequestIds ids, TimeProvider time, TimeSpan timeout, Metrics.ServerMetrics metrics)
{
    /// <summary>After which a round that was not confirmed is asked for again, as etcd does.</summary>
    internal static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private Round? _gathering;
    private Round? _asking;
    private bool _isStopped;

    /// <summary>Joins the next round.</summary>
    /// <returns>The index that must be applied before the read, or why there is none.</returns>
    public Task<(NodeError Error, ulong Index)> JoinAsync()
    {
        lock (_lock)
        {
            if (_isStopped)
            {
                return Task.FromResult((NodeError.Stopped, 0UL));
            }

            _gathering ??= new Round(time.GetTimestamp());
            return _gathering.Outcome.Task;
        }
    }

    /// <summary>Begins the next round, or asks again for the one under way if it has waited long. The raft loop only.</summary>
    /// <param name="mayAsk">Whether there is a leader to ask.</param>
    /// <param name="context">The id to ask the core with.</param>
    /// <returns>Whether to ask.</returns>
    public bool TryAsk(bool mayAsk, out byte[] context)
    {
        context = [];
        var now = time.GetTimestamp();
        Expire(now);
        if (!mayAsk || (_asking is { IsLost: false } asking && time.GetElapsedTime(asking.Asked, now) < RetryAfter))
        {
            return false;
        }

        if (_asking is { IsLost: false })
        {
            metrics.SlowReadIndexes.Add();
        }

        _asking ??= TakeGathering();
        if (_asking is null)
        {
            return false;
        }

        _asking.Id = ids.Next();
        _asking.Asked = now;
        _asking.IsLost = false;
        context = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(context, _asking.Id);
        return true;
    }

    /// <summary>Takes the core's answer. The raft loop only.</summary>
    /// <param name="context">The id it was asked with.</param>
    /// <param name="index">The index that must be applied.</param>
    public void Confirmed(ReadOnlySpan<byte> context, ulong index)
    {
        if (_asking is { } asking && context.Length == sizeof(ulong) && BinaryPrimitives.ReadUInt64BigEndian(context) == asking.Id)
        {
            Finish(asking, NodeError.None, index);
        }
    }

    /// <summary>Has the round under way asked for again at once, because another member leads now, who may not have been asked. The raft loop only.</summary>
    /// <remarks>etcd fails it ("leader changed"), and leaves it to clients to ask again. What the new leader confirms is as good: it is asked after the reads came.</remarks>
    public void LoseAnswer()
    {
        if (_asking is { } asking)
        {
            asking.IsLost = true;
        }
    }

    /// <summary>Fails everything, at shutdown, when the raft loop has ended.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _isStopped = true;
        }

        if (_asking is { } asking)
        {
            Finish(asking, NodeError.Stopped, index: 0);
        }

        if (TakeGathering() is { } round)
        {
            round.Outcome.SetResult((NodeError.Stopped, 0));
        }
    }

    private void Expire(long now)
    {
        if (_asking is { } asking && time.GetElapsedTime(asking.Began, now) >= timeout)
        {
            Finish(asking, NodeError.Timeout, index: 0);
        }

        Round? late = null;
        lock (_lock)
        {
            if (_gathering is { } gathering && time.GetElapsedTime(gathering.Began, now) >= timeout)
            {
                late = gathering;
                _gathering = null;
            }
        }

        late?.Outcome.SetResult((NodeError.Timeout, 0));
    }

    private Round? TakeGathering()
    {
        lock (_lock)
        {
            var round = _gathering;
            _gathering = null;
            return round;
        }
    }

    private void Finish(Round round, NodeError error, ulong index)
    {
        _asking = null;
        if (error != NodeError.None)
        {
            metrics.FailedReadIndexes.Add();
        }

        round.Outcome.SetResult((error, index));
    }

    private sealed class Round(long began)
    {
        public long Began => began;

        public long Asked { get; set; }

        /// <summary>Whether nobody is left who would answer.</summary>
        public bool IsLost { get; set; }

        public ulong Id { get; set; }

        public TaskCompletionSource<(NodeError Error, ulong Index)> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
