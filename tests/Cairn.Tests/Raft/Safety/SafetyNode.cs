using Cairn.Raft;
using Cairn.Raft.Membership;
using Cairn.Raft.Wire;

namespace Cairn.Tests.Raft.Safety;

/// <summary>A member: a core, a disk, workers, a state machine that hashes what it applies.</summary>
/// <remarks>A crash loses the core, what the workers had not done yet, and what was applied since the last snapshot; at times half of a write survives.</remarks>
internal sealed class SafetyNode
{
    private readonly SafetyOptions _options;
    private readonly SafetyLedger _ledger;
    private readonly RaftConfig _config;
    private readonly Prng _prng;
    private readonly MemoryLog _disk = new();
    private readonly Queue<Message> _appends = new();
    private readonly Queue<Message> _applies = new();
    private ulong _restarts;
    private ulong _hash;
    private ConfState _confState = ConfState.Empty;

    public SafetyNode(SafetyOptions options, SafetyLedger ledger, RaftConfig config, Prng prng, Snapshot? founding)
    {
        _options = options;
        _ledger = ledger;
        _prng = prng;
        if (founding is not null)
        {
            _disk.TryApplySnapshot(founding);
        }

        _config = config with { Log = _disk };
        Raft = null!; // Set by Start, which restarts use too.
        Start();
    }

    public ulong Id => _config.Id;

    public RaftNode Raft { get; private set; }

    public ulong Applied { get; private set; }

    /// <summary>What the ledger saw last: terms by index, commit index, and the log's end while leading.</summary>
    public Dictionary<ulong, ulong> Terms { get; } = [];

    public ulong Committed { get; set; }

    public (ulong Term, ulong LastIndex)? Leading { get; set; }

    public bool HasWork => Raft.HasReady || _appends.Count > 0 || _applies.Count > 0;

    /// <summary>Takes a Ready; in synchronous mode also does what it says.</summary>
    public void HandleReady(Action<Message> send)
    {
        if (!Raft.HasReady)
        {
            return;
        }

        var ready = Raft.Ready();
        foreach (var state in ready.ReadStates)
        {
            _ledger.ReadAnswered(this, state);
        }

        if (_config.AsyncStorageWrites)
        {
            HandOver(ready, send);
            return;
        }

        if (_prng.Chance(1, 200))
        {
            Restart();
            return;
        }

        if (_options.Fault != PlantedFault.AnswerBeforeSync)
        {
            Persist(ready.HardState, ready.Entries, ready.Snapshot);
        }

        foreach (var message in ready.Messages)
        {
            send(message);
        }

        if (_prng.Chance(1, 200))
        {
            Restart();
            return;
        }

        if (_options.Fault == PlantedFault.AnswerBeforeSync)
        {
            Persist(ready.HardState, ready.Entries, ready.Snapshot);
        }

        Apply(ready.CommittedEntries);
        Raft.Advance();
    }

    /// <summary>Makes one write durable and lets its answers go.</summary>
    public void RunAppendWorker(Action<Message> send)
    {
        if (!_appends.TryDequeue(out var work))
        {
            return;
        }

        if (_options.Fault != PlantedFault.AnswerBeforeSync)
        {
            Persist(work.HardState, work.Entries, work.Snapshot);
        }

        Respond(work, send);
        if (_options.Fault == PlantedFault.AnswerBeforeSync && !_prng.Chance(1, 30))
        {
            Persist(work.HardState, work.Entries, work.Snapshot);
        }
        else if (_options.Fault == PlantedFault.AnswerBeforeSync)
        {
            Restart();
        }
    }

    public void RunApplyWorker(Action<Message> send)
    {
        if (_applies.TryDequeue(out var work))
        {
            Apply(work.Entries);
            Respond(work, send);
        }
    }

    /// <summary>Notes what is applied and durable as a snapshot, and drops the log up to some place before it.</summary>
    public void TakeSnapshot()
    {
        var index = Math.Min(Applied, _disk.LastIndex);
        if (index != Applied || _disk.TryCreateSnapshot(index, _confState, BitConverter.GetBytes(_hash)) is null)
        {
            return;
        }

        if (_prng.Chance(1, 2))
        {
            _disk.Compact(index - (ulong)_prng.Below(3));
        }
    }

    /// <summary>Loses what a crash loses, and begins again.</summary>
    public void Restart()
    {
        if (_appends.TryPeek(out var torn) && torn.Snapshot is null && !torn.Entries.IsEmpty && _prng.Chance(1, 2))
        {
            // A write that was cut off: some entries are there, what followed them is not.
            _disk.Append(torn.Entries.Span[.._prng.Below(torn.Entries.Length + 1)]);
        }

        _appends.Clear();
        _applies.Clear();
        PlantFault();
        Start();
    }

    private void PlantFault()
    {
        if (_options.Fault == PlantedFault.ForgetVote)
        {
            _disk.SetHardState(_disk.HardState with { Vote = LocalTarget.None });
        }

        if (_options.Fault == PlantedFault.LoseTail && _disk.LastIndex > _disk.FirstIndex + 2)
        {
            LoseTail(_disk.LastIndex - 2);
        }
    }

    private void LoseTail(ulong last)
    {
        if (last < _disk.ReadInitialStateIndex() || _disk.TryGetEntries(_disk.FirstIndex, last + 1, ulong.MaxValue, out var kept) != LogResult.Found)
        {
            return;
        }

        // Replacing the log from its first entry on cuts off what is behind.
        _disk.Append(kept.Span);
        _disk.SetHardState(_disk.HardState with { Commit = Math.Min(_disk.HardState.Commit, last) });
        Committed = 0;
    }

    private void Start()
    {
        var snapshot = _disk.TryGetSnapshot() ?? Snapshot.Empty;
        Applied = snapshot.Index;
        _hash = snapshot.IsEmpty ? 0 : BitConverter.ToUInt64(snapshot.Data.Span);
        _confState = snapshot.Metadata.ConfState;
        Raft = new RaftNode(_config with { Applied = Applied, Seed = _config.Seed + (++_restarts * 1000) });
        Terms.Clear();
        Leading = null;
        Committed = Raft.BasicStatus.HardState.Commit;
    }

    private void HandOver(Ready ready, Action<Message> send)
    {
        foreach (var message in ready.Messages)
        {
            switch (message.To)
            {
                case LocalTarget.AppendThread:
                    _appends.Enqueue(message);
                    break;
                case LocalTarget.ApplyThread:
                    _applies.Enqueue(message);
                    break;
                default:
                    send(message);
                    break;
            }
        }
    }

    private void Respond(Message work, Action<Message> send)
    {
        var raft = Raft;
        foreach (var response in work.Responses)
        {
            if (response.To == Id && raft == Raft)
            {
                Raft.Step(response);
            }
            else
            {
                send(response);
            }
        }
    }

    private void Persist(HardState hardState, ReadOnlyMemory<Entry> entries, Snapshot? snapshot)
    {
        if (!hardState.IsEmpty)
        {
            _disk.SetHardState(hardState);
        }

        // Entries that come with a snapshot follow it.
        if (snapshot is not null && _disk.TryApplySnapshot(snapshot))
        {
            _ledger.CheckInstalled(this, snapshot);
            Applied = snapshot.Index;
            _hash = BitConverter.ToUInt64(snapshot.Data.Span);
            _confState = snapshot.Metadata.ConfState;
        }

        _disk.Append(entries.Span);
    }

    private void Apply(ReadOnlyMemory<Entry> entries)
    {
        foreach (ref readonly var entry in entries.Span)
        {
            if (entry.Index <= Applied)
            {
                // Handed out before a snapshot that is applied already.
                continue;
            }

            if (entry.Index != Applied + 1)
            {
                throw new SafetyViolationException($"{Id} was given {entry.Index} to apply after {Applied}");
            }

            Applied = entry.Index;
            _hash = unchecked((_hash * 6364136223846793005) + entry.Term + (ulong)entry.Data.Length);
            _ledger.CheckApplied(this, entry, _hash);
            ApplyConfChange(entry);
        }
    }

    private void ApplyConfChange(in Entry entry)
    {
        if (entry.Type == EntryType.ConfChange && ConfChangeWire.TryRead(entry.Data, out var older))
        {
            Raft.ApplyConfChange(older, out _confState);
        }
        else if (entry.Type == EntryType.ConfChangeV2 && ConfChangeV2Wire.TryRead(entry.Data, out var newer))
        {
            var error = Raft.ApplyConfChange(newer!, out _confState);
            Invariant.Holds(error != MembershipError.UnknownChange);
        }
    }
}

/// <summary>What tests look up in a log.</summary>
internal static class MemoryLogLook
{
    public static ulong ReadInitialStateIndex(this MemoryLog log) => log.TryGetSnapshot()?.Index ?? 0;
}
