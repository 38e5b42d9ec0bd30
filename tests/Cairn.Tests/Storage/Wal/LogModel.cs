using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.Storage.Wal;

namespace Cairn.Tests.Storage.Wal;

/// <summary>One call to a log.</summary>
internal sealed record LogStep(ImmutableArray<Entry> Entries, HardState State, bool MustSync, WalSnapshotMark? Mark, ulong? Release);

/// <summary>What a log must say after the calls so far: a list, and the rules of the raft paper's figure 7.</summary>
internal sealed record LogModel
{
    public static LogModel Empty { get; } = new();

    /// <summary>Entries above the last snapshot of a leader, which replaced what was there.</summary>
    public ImmutableList<Entry> Entries { get; init; } = [];

    public HardState State { get; init; }

    /// <summary>What must be there at least: a state that only moves the commit index may lag.</summary>
    public ulong DurableCommit { get; init; }

    public ImmutableList<WalSnapshotMark> Marks { get; init; } = [];

    /// <summary>Index after which the log is opened.</summary>
    public ulong Opened { get; init; }

    public ulong LastIndex { get; init; }

    public LogModel After(LogStep step)
    {
        var next = this;
        if (step.Mark is { } mark)
        {
            var replaces = mark.Index > LastIndex;
            next = next with
            {
                Marks = Marks.Add(mark),
                Entries = replaces ? [] : Entries,
                LastIndex = Math.Max(LastIndex, mark.Index),
                Opened = replaces ? mark.Index : Opened,
                DurableCommit = State.Commit,
            };
        }

        if (step.Entries.Length > 0)
        {
            next = next with
            {
                Entries = next.Entries.RemoveAll(entry => entry.Index >= step.Entries[0].Index).AddRange(step.Entries),
                LastIndex = step.Entries[^1].Index,
            };
        }

        if (step.Mark is null && step.Release is null)
        {
            next = next with { State = step.State, DurableCommit = step.MustSync ? step.State.Commit : next.DurableCommit };
        }

        return step.Release is { } released ? next with { Opened = Math.Max(next.Opened, released) } : next;
    }

    /// <summary>Whether a log says this. Only the commit index may be older.</summary>
    public bool Matches(WalContents contents)
    {
        var expected = Entries.Where(entry => entry.Index > Opened).ToList();
        return contents.State.Term == State.Term
            && contents.State.Vote == State.Vote
            && contents.State.Commit >= DurableCommit
            && contents.State.Commit <= State.Commit
            && contents.Entries.Count == expected.Count
            && contents.Entries.Zip(expected).All(pair => IsSame(pair.First, pair.Second));
    }

    private static bool IsSame(in Entry left, in Entry right) =>
        left.Term == right.Term && left.Index == right.Index && left.Type == right.Type && left.Data.Span.SequenceEqual(right.Data.Span);
}
