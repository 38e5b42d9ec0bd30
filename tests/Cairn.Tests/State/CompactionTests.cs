using Cairn.Protocol;
using Cairn.State;
using Cairn.Storage;
using Xunit;

namespace Cairn.Tests.State;

public sealed class CompactionTests
{
    private readonly Machine _machine = new();

    [Fact]
    public void Compaction_at_0_succeeds_once_and_never_below()
    {
        Assert.Equal(StoreError.Compacted, _machine.Compact(-1).Error);
        Assert.Equal(StoreError.None, _machine.Compact(0).Error);
        Assert.Equal(StoreError.Compacted, _machine.Compact(0).Error);
    }

    [Fact]
    public void Compaction_of_the_same_revision_again_or_of_a_future_one_is_refused()
    {
        _machine.Put("a", "1");

        Assert.Equal(new CompactionResponse { Header = new ResponseHeader { Revision = 2 } }, _machine.Compact(2).ToResponse());
        Assert.Equal(StoreError.Compacted, _machine.Compact(2).Error);
        Assert.Equal(StoreError.FutureRevision, _machine.Compact(3).Error);
    }

    [Fact]
    public void The_compaction_revision_itself_can_be_read_and_nothing_below()
    {
        _machine.Put("a", "1");
        _machine.Put("a", "2");
        _machine.Put("a", "3");

        _machine.Compact(3);

        Assert.Equal(StoreError.Compacted, _machine.View.Range(new RangeRequest { Key = Machine.Bytes("a"), Revision = 2 }, out _));
        Assert.Equal("a=2", _machine.Text(revision: 3));
        _machine.SweepAll();
        Assert.Equal("a=2", _machine.Text(revision: 3));
        Assert.Equal("a=3", _machine.Text());
    }

    [Fact]
    public void Bug_18474_a_tombstone_at_the_compaction_revision_stays_for_watchers_that_start_there()
    {
        _machine.Put("a", "1");
        _machine.Delete("a");
        _machine.Put("b", "1");

        _machine.Compact(3);
        _machine.SweepAll();

        var history = _machine.View.ReadHistory(new Revision(3, 0));
        Assert.True(history.MoveNext());
        Assert.Equal((new Revision(3, 0), Cairn.Storage.Revisions.RecordKind.Tombstone), (history.Revision, history.Kind));
        _machine.Compact(4);
        _machine.SweepAll();
        Assert.Equal("b=1", _machine.Text());
    }

    [Fact]
    public async Task Bug_17780_the_revision_does_not_go_back_when_its_tombstone_was_compacted_and_the_process_restarts()
    {
        _machine.Put("a", "1");
        _machine.Delete("a");
        _machine.Compact(3);
        _machine.SweepAll();
        _machine.Put("b", "1");
        _machine.Delete("b");
        _machine.Compact(5);

        await _machine.ReopenAsync(checkpoint: null);

        Assert.Equal(5, _machine.View.Revision);
        Assert.Equal(6, _machine.Put("c", "1").Revision);
    }

    [Fact]
    public async Task An_interrupted_sweep_is_finished_by_a_restart()
    {
        for (var i = 0; i < 20; i++)
        {
            _machine.Put($"k{i % 4}", $"{i}");
        }

        _machine.Compact(15);
        _machine.State.Sweep(budget: 1);
        Assert.True(_machine.State.IsSweeping);

        await _machine.ReopenAsync(checkpoint: null);

        Assert.False(_machine.State.IsSweeping);
        Assert.Equal(15, _machine.State.FinishedCompaction);
    }

    [Fact]
    public void Of_compactions_during_a_sweep_only_the_first_is_hashed_and_the_last_is_swept()
    {
        for (var i = 0; i < 20; i++)
        {
            _machine.Put($"k{i % 4}", $"{i}");
        }

        _machine.Compact(5);
        _machine.State.Sweep(budget: 1);
        _machine.Compact(8);
        _machine.Compact(12);
        _machine.SweepAll();

        Assert.Equal([5L], _machine.View.CompactionHashes.All.Select(hash => hash.Revision));
        Assert.Equal(12, _machine.State.FinishedCompaction);
    }

    [Fact]
    public void The_hashes_of_the_newest_ten_compactions_are_kept()
    {
        for (var i = 0; i < 12; i++)
        {
            _machine.Put("a", $"{i}");
            _machine.Compact(i + 2);
            _machine.SweepAll();
        }

        Assert.Equal(Enumerable.Range(4, 10).Select(revision => (long)revision), _machine.View.CompactionHashes.All.Select(hash => hash.Revision));
        Assert.Equal(4, _machine.Hash(5).CompactedRevision);
        Assert.Equal(StoreError.Compacted, _machine.View.OpenHash(3, out _));
    }

    [Fact]
    public void What_a_sweep_drops_counts_as_dead()
    {
        _machine.Put("a", "1");
        _machine.Put("a", "2");
        var before = _machine.Log.LiveBytes;

        _machine.Compact(3);
        _machine.SweepAll();

        Assert.InRange(_machine.Log.LiveBytes, 1, before - 1);
        _machine.Delete("a");
        _machine.Put("z", "1");
        _machine.Compact(5);
        _machine.SweepAll();
        Assert.Equal("z=1", _machine.Text());
        _machine.State.AssertInvariants();
    }
}
