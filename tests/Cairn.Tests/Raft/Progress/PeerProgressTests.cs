using Cairn.Raft.Progress;
using Xunit;

namespace Cairn.Tests.Raft.Progress;

public sealed class PeerProgressTests
{
    [Theory]
    [InlineData(2, false, 3, 5)] // Old.
    [InlineData(3, false, 3, 5)]
    [InlineData(4, true, 4, 5)] // What was sent ahead stays sent.
    [InlineData(6, true, 6, 7)] // More than was sent: another leader's message did it.
    public void Acknowledgement_moves_the_match_forward_only(ulong index, bool moved, ulong match, ulong next)
    {
        var peer = PeerAt(match: 3, next: 5);

        Assert.Equal(moved, peer.TryAdvance(index));

        Assert.Equal((match, next), (peer.Match, peer.Next));
    }

    [Theory]
    [InlineData(9, 9, false, 10)] // Not the probe that is under way.
    [InlineData(10, 4, false, 10)]
    [InlineData(9, 4, true, 5)] // Where the hint says.
    [InlineData(9, 0, true, 1)]
    public void Rejected_probe_steps_back_to_the_hint(ulong rejected, ulong hint, bool moved, ulong next)
    {
        var peer = PeerAt(match: 0, next: 10);
        if (rejected == 9 && hint == 9)
        {
            rejected = 8;
        }

        Assert.Equal(moved, peer.TryStepBack(rejected, hint));

        Assert.Equal(next, peer.Next);
    }

    [Fact]
    public void Rejection_while_replicating_steps_back_to_the_match()
    {
        var peer = PeerAt(match: 5, next: 6);
        peer.BecomeReplicate();
        peer.NoteSent(4, 10);

        Assert.False(peer.TryStepBack(5, 2));
        Assert.True(peer.TryStepBack(9, 2));

        Assert.Equal(6UL, peer.Next);
    }

    [Fact]
    public void Probing_after_a_snapshot_goes_on_behind_it()
    {
        var peer = PeerAt(match: 1, next: 5);
        peer.BecomeSnapshot(10);
        Assert.True(peer.IsPaused);

        peer.BecomeProbe();

        Assert.Equal((ProgressState.Probe, 11UL, 0UL, false), (peer.State, peer.Next, peer.PendingSnapshot, peer.IsPaused));
    }

    [Fact]
    public void Full_window_pauses_until_something_is_acknowledged()
    {
        var peer = PeerAt(match: 1, next: 2, window: 2);
        peer.BecomeReplicate();
        peer.NoteSent(1, 1);
        Assert.False(peer.IsPaused);

        peer.NoteSent(1, 1);
        Assert.True(peer.IsPaused);
        peer.TryAdvance(2);

        Assert.False(peer.IsPaused);
    }

    [Fact]
    public void Commit_index_is_sent_once_it_can_move_the_peers()
    {
        var peer = PeerAt(match: 3, next: 6);

        Assert.True(peer.CanBumpCommit(4));
        peer.SentCommit = 4;
        Assert.False(peer.CanBumpCommit(4));
        Assert.True(peer.CanBumpCommit(5));
        peer.SentCommit = 5;

        Assert.False(peer.CanBumpCommit(9));
    }

    private static PeerProgress PeerAt(ulong match, ulong next, int window = 10)
    {
        var peer = new PeerProgress { Inflights = new Inflights(window, 0) };
        peer.Restart(match, next);
        return peer;
    }
}
