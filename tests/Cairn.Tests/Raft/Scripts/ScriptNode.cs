using Cairn.Raft;
using Cairn.Raft.Membership;
using Cairn.Raft.Wire;
using Xunit;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>A member in a script: a core, its log, and a state machine that appends what it is given.</summary>
internal sealed class ScriptNode
{
    private readonly List<Snapshot> _history = [];

    public ScriptNode(RaftConfig template, ulong id, Snapshot? snapshot, ScriptOutput output)
    {
        Log = new MemoryLog(() => _history[^1]);
        if (snapshot is not null)
        {
            Assert.True(Log.TryApplySnapshot(snapshot));
        }

        _history.Add(snapshot ?? Snapshot.Empty);
        Config = template with { Id = id, Log = Log, Seed = id, Trace = output };
        Raft = new RaftNode(Config);
    }

    public RaftConfig Config { get; }

    public MemoryLog Log { get; }

    public RaftNode Raft { get; }

    public Queue<Message> AppendWork { get; } = new();

    public Queue<Message> ApplyWork { get; } = new();

    /// <summary>The state machine after everything it applied.</summary>
    public Snapshot State => _history[^1];

    /// <summary>Persists; the error is one that a script may provoke.</summary>
    public string? Persist(HardState hardState, ReadOnlyMemory<Entry> entries, Snapshot? snapshot)
    {
        if (!hardState.IsEmpty)
        {
            Log.SetHardState(hardState);
        }

        if (snapshot is null)
        {
            Log.Append(entries.Span);
            return null;
        }

        Assert.True(entries.IsEmpty, "can't apply snapshot and entries at the same time");
        return Log.TryApplySnapshot(snapshot) ? null : "requested index is older than the existing snapshot";
    }

    public void Apply(ReadOnlyMemory<Entry> entries)
    {
        foreach (ref readonly var entry in entries.Span)
        {
            var confState = State.Metadata.ConfState;
            var update = entry.Data;
            if (entry.Type == EntryType.ConfChange)
            {
                Assert.True(ConfChangeWire.TryRead(entry.Data, out var older));
                Assert.Equal(MembershipError.None, Raft.ApplyConfChange(older, out confState));
                update = older.Context;
            }
            else if (entry.Type == EntryType.ConfChangeV2)
            {
                Assert.True(ConfChangeV2Wire.TryRead(entry.Data, out var newer));
                Assert.Equal(MembershipError.None, Raft.ApplyConfChange(newer!, out confState));
                update = newer!.Context;
            }

            byte[] data = [.. State.Data.Span, .. update.Span];
            _history.Add(new Snapshot(data, new SnapshotMetadata(confState, entry.Index, entry.Term)));
        }
    }
}
