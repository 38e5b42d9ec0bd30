using Cairn.Raft;
using Cairn.Raft.Log;
using Xunit;

namespace Cairn.Tests.Raft.Log;

public sealed class RaftLogTests
{
    [Theory]
    [InlineData(3, 3, 3)] // Known here: the same term.
    [InlineData(5, 4, 4)] // Our 5 is of term 4.
    [InlineData(5, 3, 3)] // Skips what is later than the asked term.
    [InlineData(5, 1, 0)]
    [InlineData(7, 9, 7)] // Beyond the end: unknown, so possible.
    [InlineData(2, 2, 2)]
    public void Best_guess_skips_later_terms(ulong index, ulong term, ulong expected)
    {
        var log = LogOf(2, 2, 3, 4, 4);

        Assert.Equal(expected == 4 ? 5UL : expected, log.FindConflictByTerm(index, term).Index);
    }

    [Theory]
    [InlineData(4, 1, true)] // Later term, shorter.
    [InlineData(4, 9, true)]
    [InlineData(3, 2, false)] // Same term, shorter.
    [InlineData(3, 3, true)] // Same.
    [InlineData(3, 4, true)] // Same term, longer.
    [InlineData(2, 9, false)] // Earlier term, longer.
    public void Later_term_or_longer_log_is_up_to_date(ulong term, ulong index, bool expected) =>
        Assert.Equal(expected, LogOf(1, 2, 3).IsUpToDate(new EntryId(term, index)));

    [Fact]
    public void Append_after_a_mismatch_is_refused_and_changes_nothing()
    {
        var log = LogOf(1, 2, 3);

        Assert.False(log.TryAppend(new EntryId(2, 3), Member.EntriesOf(4, 4), 3, out _));
        Assert.False(log.TryAppend(new EntryId(3, 4), Member.EntriesOf(5, 4), 3, out _));

        Assert.Equal((3UL, 0UL), (log.LastIndex, log.Committed));
    }

    [Theory]
    [InlineData(1, 9, 4)] // No further than what is known to match.
    [InlineData(1, 2, 2)]
    [InlineData(0, 3, 3)]
    public void Append_commits_no_further_than_it_reaches(int entries, ulong commit, ulong expected)
    {
        var log = LogOf(1, 2, 3);

        Assert.True(log.TryAppend(new EntryId(3, 3), Member.EntriesOf(4, 4).AsSpan(0, entries), commit, out var last));

        Assert.Equal(3UL + (ulong)entries, last);
        Assert.Equal(expected, log.Committed);
    }

    [Fact]
    public void Commit_index_never_falls()
    {
        var log = LogOf(1, 2, 3);
        log.CommitTo(2);

        log.CommitTo(1);

        Assert.Equal(2UL, log.Committed);
    }

    [Fact]
    public void Conflict_below_the_commit_index_is_our_own_fault()
    {
        var log = LogOf(1, 2, 3);
        log.CommitTo(2);

        var exception = Assert.ThrowsAny<Exception>(() => log.TryAppend(new EntryId(1, 1), Member.EntriesOf(2, 9), 0, out _));

        Assert.Equal(nameof(InvariantViolatedException), exception.GetType().Name);
        Assert.ThrowsAny<Exception>(() => log.CommitTo(4));
    }

    [Theory]
    [InlineData(ulong.MaxValue, 4)]
    [InlineData(0, 1)]
    [InlineData(12, 2)] // Both durable ones.
    [InlineData(13, 2)] // The next one would be the first of the unstable ones, and does not fit.
    [InlineData(18, 3)]
    [InlineData(23, 3)]
    [InlineData(24, 4)]
    public void Slice_joins_durable_and_unstable_entries_within_the_limit(ulong bytesMax, int expected)
    {
        var log = LogOf(1, 1);
        log.Append(Member.EntriesOf(3, 2, 2));

        Assert.Equal(LogResult.Found, log.TrySlice(1, 5, bytesMax, out var entries));

        Assert.Equal(Member.EntriesOf(1, 1, 1, 2, 2)[..expected], entries.ToArray());
    }

    [Fact]
    public void Committed_entries_that_are_not_durable_are_handed_out_only_if_allowed()
    {
        var log = LogOf(1, 1);
        log.Append(Member.EntriesOf(3, 1, 1));
        log.CommitTo(4);

        Assert.Equal(2, log.NextCommitted(allowUnstable: false).Length);
        Assert.Equal(4, log.NextCommitted(allowUnstable: true).Length);
    }

    [Fact]
    public void What_is_handed_out_and_not_applied_is_limited()
    {
        var storage = new MemoryLog();
        storage.Append(Member.EntriesOf(1, 1, 1, 1, 1));
        var log = new RaftLog(storage, applyingBytesMax: 14, null);
        log.CommitTo(4);
        Assert.Equal(2, log.NextCommitted(true).Length);

        log.AcceptApplying(2, 12, true);
        Assert.False(log.HasNextCommitted(true));
        log.AppliedTo(1, 6);

        Assert.True(log.HasNextCommitted(true));
        Assert.Equal(3UL, log.NextCommitted(true).Span[0].Index);
    }

    [Fact]
    public void Terms_are_known_from_the_last_compacted_entry_to_the_last_one()
    {
        var storage = new MemoryLog();
        storage.TryApplySnapshot(new Snapshot(default, new SnapshotMetadata(ConfState.Empty, 10, 3)));
        var log = new RaftLog(storage, ulong.MaxValue, null);
        log.Append(Member.EntriesOf(11, 4));

        Assert.Equal(LogResult.Compacted, log.TryGetTerm(9, out _));
        Assert.Equal((3UL, 4UL), (log.TermOrZero(10), log.TermOrZero(11)));
        Assert.Equal(LogResult.Unavailable, log.TryGetTerm(12, out _));
        Assert.Equal(LogResult.Compacted, log.TryGetTerm(ulong.MaxValue, out _));
    }

    private static RaftLog LogOf(params ulong[] terms)
    {
        var storage = new MemoryLog();
        storage.Append(Member.EntriesOf(1, terms));
        return new RaftLog(storage, ulong.MaxValue, null);
    }
}
