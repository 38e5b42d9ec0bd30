using Cairn.Protocol;
using Cairn.State;
using Cairn.State.Lease;
using Xunit;

namespace Cairn.Tests.State;

public sealed class LeaseTests
{
    private readonly Machine _machine = new();

    [Theory]
    [InlineData(0, 2)]
    [InlineData(-5, 2)]
    [InlineData(3, 3)]
    [InlineData(9_000_000_000, 9_000_000_000)]
    public void A_ttl_is_raised_to_the_minimum(long asked, long granted)
    {
        var result = _machine.Grant(7, asked);

        Assert.Equal(new LeaseGrantResponse { Header = new ResponseHeader { Revision = 1 }, ID = 7, TTL = granted }, result.ToResponse());
        Assert.Equal(new LeaseGranted(new LeaseInfo(7, granted)), result.Effect);
    }

    [Fact]
    public void Grants_that_cannot_be_are_refused()
    {
        _machine.Grant(7, 10);

        Assert.Equal(StoreError.LeaseExists, _machine.Grant(7, 10).Error);
        Assert.Equal(StoreError.LeaseTtlTooLarge, _machine.Grant(8, 9_000_000_001).Error);
        Assert.Equal(StoreError.LeaseNotFound, _machine.Grant(0, 10).Error);
        Assert.Equal(StoreError.LeaseNotFound, _machine.Revoke(9).Error);
    }

    [Fact]
    public void A_revocation_deletes_its_keys_in_order_in_one_revision()
    {
        _machine.Grant(7, 10);
        _machine.Put("b", "1", lease: 7);
        _machine.Put("a", "1", lease: 7);
        _machine.Put("c", "1");

        var result = _machine.Revoke(7);

        Assert.Equal(5, result.Revision);
        Assert.Equal([("a", 0), ("b", 1)], result.Events.ToArray().Select(each => (System.Text.Encoding.UTF8.GetString(each.Key.Span), each.Revision.Sub)));
        Assert.Equal(new LeaseRevoked(7), result.Effect);
        Assert.Equal("c=1", _machine.Text());
        Assert.False(_machine.View.Leases.TryGet(7, out _));
    }

    [Fact]
    public void A_revocation_without_keys_makes_no_revision()
    {
        _machine.Grant(7, 10);

        Assert.Equal(1, _machine.Revoke(7).Revision);
    }

    [Fact]
    public void A_deleted_key_is_not_attached_any_more()
    {
        _machine.Grant(7, 10);
        _machine.Put("a", "1", lease: 7);
        _machine.Delete("a");
        _machine.Put("a", "2");

        _machine.Revoke(7);

        Assert.Equal("a=2", _machine.Text());
    }

    [Fact]
    public async Task A_checkpoint_is_remembered_to_the_millisecond_and_unknown_leases_are_passed_over()
    {
        _machine.Grant(7, 100);
        var expected = new LeaseInfo(7, 100, TimeSpan.FromSeconds(39.25));

        var result = _machine.Apply(new InternalRaftRequest
        {
            LeaseCheckpoint = new LeaseCheckpointRequest
            {
                Checkpoints = { new LeaseCheckpoint { ID = 7, RemainingTTL = 40, CairnRoundedUp = 750 }, new LeaseCheckpoint { ID = 8, RemainingTTL = 1 } },
            },
        });

        Assert.Equal([expected], ((LeasesCheckpointed)result.Effect!).Leases);
        Assert.Equal([expected], _machine.View.Leases.List());
        Assert.Equal((40, 750), (expected.RemainingTtl, expected.RoundedUp));

        await _machine.ReopenAsync(checkpoint: null);
        Assert.Equal([expected], _machine.View.Leases.List());
    }

    [Theory]
    [InlineData(40, 0, 40_000)]
    [InlineData(40, 999, 39_001)]
    [InlineData(0, 999, 0)]
    [InlineData(-1, 0, 0)]
    [InlineData(1, long.MaxValue, 1)]
    [InlineData(long.MaxValue, 0, LeaseTable.TtlMax * 1000)]
    public void What_a_checkpoint_says_is_brought_into_what_can_be_granted(long remainingTtl, long roundedUp, long milliseconds) =>
        Assert.Equal(milliseconds, (long)LeaseInfo.RemainingOf(remainingTtl, roundedUp).TotalMilliseconds);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Bug_12535_leases_with_negative_ids_keep_their_keys_through_a_restart(bool withCheckpoint)
    {
        _machine.Grant(-7, 100);
        _machine.Put("a", "1", lease: -7);
        _machine.Put("b", "1", lease: -7);
        _machine.Put("b", "2");

        await _machine.ReopenAsync(withCheckpoint ? _machine.WriteCheckpoint() : null);

        Assert.Equal("a", System.Text.Encoding.UTF8.GetString(Assert.Single(_machine.View.Leases.KeysOf(-7))));
        Assert.Equal([new LeaseInfo(-7, 100)], _machine.View.Leases.List());
        _machine.Revoke(-7);
        Assert.Equal("b=2", _machine.Text());
    }

    [Fact]
    public async Task A_restart_with_a_higher_minimum_leaves_granted_ttls_alone()
    {
        _machine.Grant(7, 2);
        var capture = await _machine.CaptureAsync();
        var other = new Machine(new StateOptions { LeaseTtlMinimum = 50 });

        await other.ReopenAsync(capture, checkpoint: null);

        Assert.Equal([new LeaseInfo(7, 2)], other.View.Leases.List());
    }
}
