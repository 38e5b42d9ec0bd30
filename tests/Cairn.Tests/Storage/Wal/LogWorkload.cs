using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Wal;

namespace Cairn.Tests.Storage.Wal;

/// <summary>Drives a log as a member does: entries of mixed sizes, votes, commits, conflicts with a new leader, snapshots of its own and of a leader, releases.</summary>
internal sealed class LogWorkload(ulong seed)
{
    public const string Directory = "member/wal";

    public static readonly WalMetadata Metadata = new(0x8e9e05c52164694d, 0xcdf818194e3a8c32);
    public static readonly WalOptions Options = new() { SegmentBytes = 8192 };

    private static readonly ConfState Members = new() { Voters = [1, 2, 3] };

    private readonly Prng _prng = new(seed);

    /// <summary>After the calls that completed.</summary>
    public LogModel Acknowledged { get; private set; } = LogModel.Empty;

    /// <summary>After the call that is under way, too.</summary>
    public LogModel Attempted { get; private set; } = LogModel.Empty;

    public async Task RunAsync(IDisk disk, int steps)
    {
        var log = await WriteAheadLog.CreateAsync(disk, Directory, Metadata, Options);
        await ContinueAsync(log, steps);
        await log.DisposeAsync();
    }

    public async Task ContinueAsync(WriteAheadLog log, int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            var step = NextStep();
            Attempted = Acknowledged.After(step);
            await DoAsync(log, step);
            Acknowledged = Attempted;
        }
    }

    /// <summary>Goes on from what a log said when it was opened: first marks a snapshot that is durable, and that the log does not know yet.</summary>
    public async Task ResumeAsync(WriteAheadLog log, LogModel model, HardState state, int steps)
    {
        Acknowledged = model with { State = state, DurableCommit = state.Commit };
        if (log.LastIndex < model.Opened)
        {
            var step = Mark(model.Opened);
            await DoAsync(log, step);
            Acknowledged = Acknowledged.After(step);
        }

        await ContinueAsync(log, steps);
    }

    private static async Task DoAsync(WriteAheadLog log, LogStep step)
    {
        if (step.Mark is { } mark)
        {
            await log.MarkSnapshotAsync(mark);
        }
        else if (step.Release is { } index)
        {
            await log.ReleaseAsync(index);
        }
        else
        {
            await log.AppendAsync(step.Entries.AsMemory(), step.State, step.MustSync);
        }
    }

    private LogStep NextStep()
    {
        var model = Acknowledged;
        var state = model.State with { Term = Math.Max(model.State.Term, 1) };
        return _prng.Below(20) switch
        {
            0 => Only(state with { Term = state.Term + (ulong)_prng.Between(1, 3), Vote = (ulong)_prng.Below(4) }, mustSync: true),
            1 or 2 when state.Commit < model.LastIndex =>
                Only(state with { Commit = (ulong)_prng.Between((long)state.Commit, (long)model.LastIndex) }, mustSync: false),
            3 when state.Commit > model.Opened => Mark(state.Commit),
            4 when model.Marks.Count > 0 => new LogStep([], default, false, null, model.Marks[^1].Index),
            5 when _prng.Chance(1, 3) => Mark(model.LastIndex + (ulong)_prng.Between(1, 50)),
            6 or 7 when Math.Max(state.Commit, model.Opened) < model.LastIndex =>
                Append((ulong)_prng.Between((long)Math.Max(state.Commit, model.Opened) + 1, (long)model.LastIndex), state with { Term = state.Term + 1 }),
            _ => Append(model.LastIndex + 1, state),
        };
    }

    private LogStep Only(HardState state, bool mustSync) => new([], state, mustSync, null, null);

    private LogStep Mark(ulong index)
    {
        var term = Acknowledged.Entries.Find(entry => entry.Index == index).Term;
        return new LogStep([], default, false, new WalSnapshotMark(index, Math.Max(term, 1), Members), null);
    }

    private LogStep Append(ulong index, HardState state)
    {
        var entries = new Entry[_prng.Between(1, 4)];
        for (var i = 0; i < entries.Length; i++)
        {
            var data = new byte[_prng.Below(8) switch { 0 => 0, 1 => _prng.Below(2500), _ => _prng.Below(200) }];
            _prng.Fill(data);
            if (_prng.Chance(1, 4))
            {
                data.AsSpan(data.Length / 3).Clear();
            }

            entries[i] = new Entry(state.Term, index + (ulong)i, EntryType.Normal, data);
        }

        return new LogStep([.. entries], state, true, null, null);
    }
}
