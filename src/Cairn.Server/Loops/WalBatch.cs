using Cairn.Raft;

namespace Cairn.Server.Loops;

/// <summary>What goes to the log together: entries, the hard state behind them, and what is promised once they are durable.</summary>
/// <remarks>Owned by the raft loop; while it is being written, nobody changes it.</remarks>
/// <param name="state">The hard state before it.</param>
internal sealed class WalBatch(HardState state)
{
    // Most batches hold what a hundred clients propose between two syncs.
    private const int EntriesAtFirst = 128;

    private Entry[] _entries = new Entry[EntriesAtFirst];
    private int _count;
    private bool _hasState;

    /// <summary>A snapshot that takes the place of the log before the entries; null for most batches.</summary>
    public Snapshot? Snapshot { get; private set; }

    /// <summary>Whether the state of the snapshot is durable, and this member has gone over to it: that is done once, however often the batch is tried. Set by its writer.</summary>
    public bool IsInstalled { get; set; }

    /// <summary>Consecutive entries.</summary>
    public ReadOnlyMemory<Entry> Entries => _entries.AsMemory(0, _count);

    /// <summary>The hard state after the batch.</summary>
    public HardState State { get; private set; } = state;

    /// <summary>Whether it must be durable before anything is promised: false if nothing but the commit index changed. What it promises then is durable already,
    /// since batches are written one after the other.</summary>
    public bool MustSync { get; private set; }

    /// <summary>What to deliver once it is durable, in order.</summary>
    public List<Message> Responses { get; } = [];

    /// <summary>Whether there is nothing to write.</summary>
    public bool IsEmpty => _count == 0 && Snapshot is null && !_hasState && Responses.Count == 0;

    /// <summary>Adds what the core wants durable.</summary>
    /// <param name="append">A message to <see cref="LocalTarget.AppendThread"/>.</param>
    public void Add(Message append)
    {
        Invariant.Holds(append.Type == MessageType.StorageAppend);
        AddSnapshot(append.Snapshot);
        AddEntries(append.Entries.Span);
        if (!append.HardState.IsEmpty)
        {
            MustSync |= append.Term != State.Term || append.Vote != State.Vote;
            State = append.HardState;
            _hasState = true;
        }

        Responses.AddRange(append.Responses);
    }

    /// <summary>Empties the batch, to gather again.</summary>
    /// <param name="state">The hard state before it.</param>
    public void Restart(HardState state)
    {
        _entries.AsSpan(0, _count).Clear();
        _count = 0;
        _hasState = false;
        Snapshot = null;
        IsInstalled = false;
        State = state;
        MustSync = false;
        Responses.Clear();
    }

    // What the batch holds so far, the snapshot supersedes. What was promised of it is kept: the leader that sent the snapshot has what this member acknowledged.
    private void AddSnapshot(Snapshot? snapshot)
    {
        if (snapshot is null)
        {
            return;
        }

        Invariant.Holds(Snapshot is null || Snapshot.Index < snapshot.Index);
        _entries.AsSpan(0, _count).Clear();
        _count = 0;
        Snapshot = snapshot;
        MustSync = true;
    }

    /// <summary>Forgets what a new leader's entries replace: no sync has seen it, and none will, so the old one is not told that it is durable.</summary>
    private void Forget(ulong from)
    {
        _count = from > _entries[0].Index ? (int)(from - _entries[0].Index) : 0;
        Responses.RemoveAll(response => response is { Type: MessageType.AppResp, Reject: false } && response.Index >= from);
    }

    private void AddEntries(ReadOnlySpan<Entry> entries)
    {
        if (entries.IsEmpty)
        {
            return;
        }

        MustSync = true;
        if (_count > 0)
        {
            Invariant.Holds(entries[0].Index <= _entries[_count - 1].Index + 1);
            if (entries[0].Index <= _entries[_count - 1].Index)
            {
                Forget(entries[0].Index);
            }
        }

        if (_count + entries.Length > _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(_count + entries.Length, _entries.Length * 2));
        }

        entries.CopyTo(_entries.AsSpan(_count));
        _count += entries.Length;
    }
}
