using Cairn.Raft.Quorum;

namespace Cairn.Raft.Roles;

/// <summary>Answers a leader's read requests: with its commit index, once it is sure that it still leads.</summary>
/// <remarks>Source: etcd-io/raft, read_only.go and raft.go; Raft dissertation, section 6.4.</remarks>
internal sealed class Reads(RaftCore core)
{
    private readonly Dictionary<ReadOnlyMemory<byte>, PendingRead> _byContext = new(BytesComparer.Instance);
    private readonly Queue<PendingRead> _queue = new();
    private readonly List<Message> _postponed = [];
    private ReadOnlyMemory<byte> _lastContext;

    /// <summary>The context of the newest pending read, which the next heartbeat carries; its answers confirm all earlier ones too.</summary>
    public ReadOnlyMemory<byte> LastPendingContext => _queue.Count == 0 ? default : _lastContext;

    public void Reset()
    {
        _byContext.Clear();
        _queue.Clear();
        _postponed.Clear();
    }

    /// <summary>Takes a request, ours or a follower's.</summary>
    public void Ask(Message request)
    {
        // Before its term's first entry is committed, a leader does not know how far its predecessors committed. That includes the only voter of a cluster:
        // after a restart, the commit index that it remembers may lag behind what it acknowledged.
        if (!HasCommittedInTerm())
        {
            _postponed.Add(request);
            return;
        }

        Begin(request);
    }

    /// <summary>The first entry of the term is committed: requests that waited for it go on.</summary>
    public void ReleasePostponed()
    {
        if (_postponed.Count == 0)
        {
            return;
        }

        Invariant.Holds(HasCommittedInTerm());
        foreach (var request in _postponed)
        {
            Begin(request);
        }

        _postponed.Clear();
    }

    /// <summary>A heartbeat that carried a context came back: the read of that context and all before it are answered once a quorum has said so.</summary>
    public void Acknowledged(Message response)
    {
        if (core.Config.ReadOnlyMode != ReadOnlyMode.Safe || response.Context.IsEmpty || !_byContext.TryGetValue(response.Context, out var read))
        {
            return;
        }

        read.Acks.Record(response.From, granted: true);
        if (core.Tracker.Config.Voters.Tally(read.Acks) == VoteResult.Won)
        {
            AnswerUpTo(read);
        }
    }

    /// <summary>The configuration has changed: who has spoken may be enough now, and nobody else may be left to speak.</summary>
    public void Recount()
    {
        PendingRead? newest = null;
        foreach (var read in _queue)
        {
            newest = core.Tracker.Config.Voters.Tally(read.Acks) == VoteResult.Won ? read : newest;
        }

        if (newest is not null)
        {
            AnswerUpTo(newest);
        }
    }

    private void AnswerUpTo(PendingRead last)
    {
        PendingRead answered;
        do
        {
            answered = _queue.Dequeue();
            _byContext.Remove(answered.Context);
            Answer(answered.Request, answered.Index);
        }
        while (answered != last);
    }

    private bool HasCommittedInTerm() => core.Log.TermOrZero(core.Log.Committed) == core.Term;

    private void Begin(Message request)
    {
        // The only voter needs nobody's word. A leader that is not that voter, because it was removed, needs the voter's.
        var isAlone = core.Tracker.IsSingleton && core.Tracker.Config.Voters.Contains(core.Id);
        if (isAlone || core.Config.ReadOnlyMode == ReadOnlyMode.LeaseBased)
        {
            Answer(request, core.Log.Committed);
            return;
        }

        var context = request.Entries.Span[0].Data;
        if (!_byContext.TryGetValue(context, out var read))
        {
            read = new PendingRead(request, core.Log.Committed, context);
            _byContext.Add(context, read);
            _queue.Enqueue(read);
            _lastContext = context;
        }

        read.Acks.Record(core.Id, granted: true);
        core.LeaderRole.Replication.BroadcastHeartbeat(context);
    }

    private void Answer(Message request, ulong index)
    {
        if (request.From == LocalTarget.None || request.From == core.Id)
        {
            core.Outbox.AddReadState(new ReadState(index, request.Entries.Span[0].Data));
            return;
        }

        core.Outbox.Send(new Message
        {
            Type = MessageType.ReadIndexResp,
            To = request.From,
            From = core.Id,
            Term = core.Term,
            Index = index,
            Entries = request.Entries,
        });
    }

    private sealed class PendingRead(Message request, ulong index, ReadOnlyMemory<byte> context)
    {
        public Message Request { get; } = request;

        /// <summary>The commit index when the request came: the read needs to see no less.</summary>
        public ulong Index { get; } = index;

        public ReadOnlyMemory<byte> Context { get; } = context;

        public Ballot Acks { get; } = new();
    }

    private sealed class BytesComparer : IEqualityComparer<ReadOnlyMemory<byte>>
    {
        public static BytesComparer Instance { get; } = new();

        public bool Equals(ReadOnlyMemory<byte> x, ReadOnlyMemory<byte> y) => x.Span.SequenceEqual(y.Span);

        public int GetHashCode(ReadOnlyMemory<byte> obj)
        {
            var hash = new HashCode();
            hash.AddBytes(obj.Span);
            return hash.ToHashCode();
        }
    }
}
