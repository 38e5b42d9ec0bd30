using Cairn.Raft;
using Cairn.Raft.Log;
using Xunit;

namespace Cairn.Tests.Raft.Log;

public sealed class UnstableLogTests
{
    [Fact]
    public void Entries_are_handed_out_once()
    {
        var log = LogFrom(5, 1, 1);
        Assert.Equal(2, log.NextEntries.Length);

        log.AcceptInProgress();
        Assert.Equal(0, log.NextEntries.Length);
        log.TruncateAndAppend(Member.EntriesOf(7, 1));

        Assert.Equal([7UL], log.NextEntries.ToArray().Select(entry => entry.Index));
    }

    [Theory]
    [InlineData(5, 1, 6, 1)]
    [InlineData(6, 1, 7, 0)]
    [InlineData(6, 2, 5, 2)] // Replaced meanwhile.
    [InlineData(4, 1, 5, 2)] // Gone already.
    [InlineData(9, 1, 5, 2)] // Never was.
    public void Durable_entries_leave_if_they_are_still_the_same(ulong index, ulong term, ulong offset, int count)
    {
        var log = LogFrom(5, 1, 1);
        log.AcceptInProgress();

        log.StableTo(new EntryId(term, index));

        Assert.Equal((offset, count), (log.Offset, log.Count));
    }

    [Fact]
    public void Replacing_entries_hands_the_new_ones_out_again()
    {
        var log = LogFrom(5, 1, 1, 1);
        log.AcceptInProgress();

        log.TruncateAndAppend(Member.EntriesOf(6, 2));

        Assert.Equal([5UL, 6UL], log.Entries.ToArray().Select(entry => entry.Index));
        Assert.Equal([6UL], log.NextEntries.ToArray().Select(entry => entry.Index));
        log.TruncateAndAppend(Member.EntriesOf(4, 3, 3));
        Assert.Equal((4UL, 2, 2), (log.Offset, log.Count, log.NextEntries.Length));
    }

    [Fact]
    public void Snapshot_takes_the_place_of_everything()
    {
        var log = LogFrom(5, 1, 1);
        var snapshot = new Snapshot(default, new SnapshotMetadata(ConfState.Empty, 9, 3));

        log.Restore(snapshot);

        Assert.Equal((10UL, 0, 9UL, 10UL), (log.Offset, log.Count, log.LastIndex, log.FirstIndex));
        Assert.True(log.TryGetTerm(9, out var term));
        Assert.Equal(3UL, term);
        Assert.Same(snapshot, log.NextSnapshot);
        log.AcceptInProgress();
        Assert.Null(log.NextSnapshot);
        log.StableSnapshotTo(8);
        Assert.NotNull(log.Snapshot);
        log.StableSnapshotTo(9);
        Assert.Null(log.Snapshot);
    }

    [Fact]
    public void Payload_bytes_are_those_of_what_is_there()
    {
        var log = new UnstableLog(1, null);
        log.AppendNew(1, [Sized(10), Sized(20), Sized(30)]);
        Assert.Equal(60UL, log.PayloadBytes);

        log.StableTo(new EntryId(1, 1));
        Assert.Equal(50UL, log.PayloadBytes);
        log.TruncateAndAppend([new Entry(2, 3, EntryType.Normal, new byte[5])]);

        Assert.Equal(25UL, log.PayloadBytes);
    }

    [Fact]
    public void Random_operations_agree_with_a_plain_list_and_leave_alone_what_was_handed_out()
    {
        var prng = new Prng(7);
        var log = new UnstableLog(1, null);
        var model = new List<Entry>();
        var handedOut = new List<(ReadOnlyMemory<Entry> Entries, Entry[] Copy)>();
        var term = 1UL;
        for (var step = 0; step < 20_000; step++)
        {
            switch (prng.Below(4))
            {
                case 0 when model.Count > 0:
                    var stable = prng.Below(model.Count);
                    log.StableTo(new EntryId(model[stable].Term, model[stable].Index));
                    model.RemoveRange(0, stable + 1);
                    break;
                case 1 when model.Count > 0:
                    var from = prng.Below(model.Count);
                    var replacing = Member.EntriesOf(model[from].Index, ++term, term);
                    log.TruncateAndAppend(replacing);
                    model.RemoveRange(from, model.Count - from);
                    model.AddRange(replacing);
                    break;
                default:
                    var added = Enumerable.Range(0, 1 + prng.Below(4)).Select(_ => Sized(prng.Below(40_000))).ToArray();
                    var next = log.End;
                    log.AppendNew(term, added);
                    model.AddRange(added.Select((entry, i) => entry with { Term = term, Index = next + (ulong)i }));
                    break;
            }

            Assert.True(log.Entries.Span.SequenceEqual(model.ToArray()));
            Assert.Equal(EntryLimits.PayloadBytes(model.ToArray()), log.PayloadBytes);
            if (step % 100 == 0)
            {
                handedOut.Add((log.Entries, log.Entries.ToArray()));
                log.AcceptInProgress();
            }
        }

        Assert.All(handedOut, pair => Assert.True(pair.Entries.Span.SequenceEqual(pair.Copy)));
    }

    private static Entry Sized(int bytes) => new(0, 0, EntryType.Normal, new byte[bytes]);

    private static UnstableLog LogFrom(ulong offset, params ulong[] terms)
    {
        var log = new UnstableLog(offset, null);
        log.TruncateAndAppend(Member.EntriesOf(offset, terms));
        return log;
    }
}
