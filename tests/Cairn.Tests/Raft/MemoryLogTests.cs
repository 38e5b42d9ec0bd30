using Cairn.Raft;
using Cairn.Raft.Wire;
using Xunit;

namespace Cairn.Tests.Raft;

public sealed class MemoryLogTests
{
    [Fact]
    public void Empty_log_begins_at_one()
    {
        var log = new MemoryLog();

        Assert.Equal((1UL, 0UL), (log.FirstIndex, log.LastIndex));
        Assert.Equal(LogResult.Found, log.TryGetTerm(0, out var term));
        Assert.Equal(0UL, term);
        Assert.Equal(LogResult.Unavailable, log.TryGetTerm(1, out _));
        Assert.Equal(LogResult.Unavailable, log.TryGetEntries(1, 2, 100, out _));
    }

    [Fact]
    public void Compacted_entries_are_gone_but_the_last_ones_term_is_known()
    {
        var log = LogOf(1, 1, 2, 2, 3);

        Assert.Equal(LogResult.Found, log.Compact(3));

        Assert.Equal((4UL, 5UL), (log.FirstIndex, log.LastIndex));
        Assert.Equal(LogResult.Compacted, log.TryGetTerm(2, out _));
        Assert.Equal(LogResult.Found, log.TryGetTerm(3, out var term));
        Assert.Equal(2UL, term);
        Assert.Equal(LogResult.Compacted, log.TryGetEntries(3, 5, 100, out _));
        Assert.Equal(LogResult.Compacted, log.Compact(3));
        Assert.Equal(LogResult.Unavailable, log.Compact(6));
    }

    [Theory]
    [InlineData(0, 1)] // One in any case.
    [InlineData(7, 1)]
    [InlineData(12, 2)]
    [InlineData(17, 2)]
    [InlineData(18, 3)]
    public void Entries_are_given_as_far_as_they_fit(ulong bytesMax, int expected)
    {
        var log = LogOf(1, 1, 1);

        Assert.Equal(LogResult.Found, log.TryGetEntries(1, 4, bytesMax, out var entries));

        Assert.Equal(expected, entries.Length);
        Assert.Equal(6, EntryWire.Size(entries.Span[0]));
    }

    [Fact]
    public void Append_replaces_from_its_first_entry_on()
    {
        var log = LogOf(1, 1, 1, 1);

        log.Append(Member.EntriesOf(3, 2));

        Assert.Equal(3UL, log.LastIndex);
        log.TryGetTerm(3, out var term);
        Assert.Equal(2UL, term);
    }

    [Fact]
    public void Append_skips_what_is_compacted_already()
    {
        var log = LogOf(1, 1, 1);
        log.Compact(3);

        log.Append(Member.EntriesOf(2, 1, 1));
        Assert.Equal(3UL, log.LastIndex);
        log.Append(Member.EntriesOf(2, 1, 1, 4));

        Assert.Equal((4UL, 4UL), (log.FirstIndex, log.LastIndex));
    }

    [Fact]
    public void What_was_handed_out_stays_whatever_is_appended_or_compacted()
    {
        var log = LogOf(1, 1, 1, 1);
        log.TryGetEntries(1, 5, ulong.MaxValue, out var handedOut);
        var before = handedOut.ToArray();

        log.Append(Member.EntriesOf(2, 2, 2));
        log.Append(Member.EntriesOf(4, 2, 3, 3));
        log.Compact(5);
        log.Append(Member.EntriesOf(7, 3));

        Assert.Equal(before, handedOut.ToArray());
    }

    [Fact]
    public void Snapshot_takes_the_place_of_the_log_if_it_is_newer()
    {
        var log = LogOf(1, 1, 1);
        var snapshot = new Snapshot(new byte[1], new SnapshotMetadata(new ConfState { Voters = [1] }, 9, 4));

        Assert.True(log.TryApplySnapshot(snapshot));
        Assert.False(log.TryApplySnapshot(snapshot));

        Assert.Equal((10UL, 9UL), (log.FirstIndex, log.LastIndex));
        Assert.Equal(snapshot, log.TryGetSnapshot());
        Assert.Equal(snapshot.Metadata.ConfState, log.ReadInitialState().ConfState);
        log.TryGetTerm(9, out var term);
        Assert.Equal(4UL, term);
    }

    [Fact]
    public void Snapshot_of_the_state_machine_keeps_the_entries()
    {
        var log = LogOf(1, 1, 2);
        var confState = new ConfState { Voters = [1, 2] };

        var snapshot = log.TryCreateSnapshot(3, confState, new byte[2]);

        Assert.Equal(new Snapshot(new byte[2], new SnapshotMetadata(confState, 3, 2)), snapshot);
        Assert.Equal(1UL, log.FirstIndex);
        Assert.Null(log.TryCreateSnapshot(3, confState, default));
        Assert.Null(log.TryCreateSnapshot(4, confState, default));
    }

    [Fact]
    public void Random_operations_agree_with_a_plain_list()
    {
        var prng = new Prng(1);
        var log = new MemoryLog();
        var model = new List<Entry>();
        var compacted = 0UL;
        for (var step = 0; step < 20_000; step++)
        {
            if (prng.Chance(1, 5) && (ulong)model.Count > compacted)
            {
                var index = compacted + 1 + (ulong)prng.Below(model.Count - (int)compacted);
                Assert.Equal(LogResult.Found, log.Compact(index));
                compacted = index;
            }
            else
            {
                var from = compacted + 1 + (ulong)prng.Below(model.Count - (int)compacted + 1);
                from = prng.Chance(1, 2) ? (ulong)model.Count + 1 : from;
                var entries = Member.EntriesOf(from, [.. Enumerable.Range(0, 1 + prng.Below(5)).Select(_ => (ulong)step)]);
                log.Append(entries);
                model.RemoveRange((int)from - 1, model.Count - (int)from + 1);
                model.AddRange(entries);
            }

            Assert.Equal((compacted + 1, (ulong)model.Count), (log.FirstIndex, log.LastIndex));
            if ((ulong)model.Count > compacted)
            {
                Assert.Equal(LogResult.Found, log.TryGetEntries(compacted + 1, (ulong)model.Count + 1, ulong.MaxValue, out var read));
                Assert.True(read.Span.SequenceEqual(model.ToArray().AsSpan((int)compacted)));
            }
        }
    }

    private static MemoryLog LogOf(params ulong[] terms)
    {
        var log = new MemoryLog();
        log.Append(Member.EntriesOf(1, terms));
        return log;
    }
}
