using Cairn.Raft;
using Cairn.Server.Loops;
using Xunit;

namespace Cairn.Tests.Server.Loops;

/// <summary>What the log keeps in memory for members that are behind, for values of any size.</summary>
public sealed class KeptEntriesTests
{
    // Less than the process keeps by default, so that a test gets there.
    private const int EntriesMax = 5000;

    private readonly MemoryLog _log = new();
    private readonly KeptEntries _kept;

    public KeptEntriesTests() => _kept = new KeptEntries(_log, applied: 0, EntriesMax);

    [Theory]
    [InlineData(100_000)]
    [InlineData(1_500_000)]
    public void Large_entries_are_cut_back_by_their_bytes_however_few_they_are(int bytes)
    {
        var most = 0L;
        for (var i = 0; i < 200_000_000 / bytes; i++)
        {
            Apply(bytes, isOnlyVoter: false);
            most = Math.Max(most, Count * bytes);
        }

        Assert.InRange(most, LoopLimits.CatchUpBytesMax, LoopLimits.CatchUpBytesMax + LoopLimits.CompactLogEveryBytes + bytes);
        Assert.InRange(Count * bytes, LoopLimits.CatchUpBytesMax - bytes, most);
    }

    [Fact]
    public void A_member_that_is_alone_keeps_no_more_large_entries_than_others()
    {
        for (var i = 0; i < 1000; i++)
        {
            Apply(100_000, isOnlyVoter: true);
            Assert.InRange(Count * 100_000, 0, LoopLimits.CatchUpBytesMax + LoopLimits.CompactLogEveryBytes);
        }
    }

    [Fact]
    public void Small_entries_are_cut_back_by_their_number_and_rarely()
    {
        var cuts = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var first = _log.FirstIndex;
            Apply(10, isOnlyVoter: false);
            cuts += _log.FirstIndex == first ? 0 : 1;
            Assert.InRange(Count, 1, EntriesMax + (long)LoopLimits.CompactLogEveryEntries + 1);
        }

        Assert.InRange(cuts, 1, 15);
    }

    [Fact]
    public void Large_entries_that_somebody_is_being_given_the_state_before_are_held()
    {
        _kept.Hold(1);
        for (var i = 0; i < 1000; i++)
        {
            Apply(100_000, isOnlyVoter: false);
        }

        Assert.InRange(_log.FirstIndex, 1UL, 2UL);
        _kept.Release(1);
        Apply(100_000, isOnlyVoter: false);

        Assert.InRange(Count * 100_000, LoopLimits.CatchUpBytesMax - 100_000, LoopLimits.CatchUpBytesMax + 100_000);
    }

    private long Count => (long)(_log.LastIndex + 1 - _log.FirstIndex);

    private void Apply(int bytes, bool isOnlyVoter)
    {
        Entry[] entries = [new(1, _log.LastIndex + 1, EntryType.Normal, new byte[bytes])];
        _log.Append(entries);
        _kept.Add(entries);
        _kept.Trim(_log.LastIndex, isOnlyVoter, new ConfState { Voters = [1, 2, 3] });
    }
}
