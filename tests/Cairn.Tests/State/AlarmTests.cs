using Cairn.Protocol;
using Cairn.State;
using Xunit;
using Action = Cairn.Protocol.AlarmRequest.Types.AlarmAction;

namespace Cairn.Tests.State;

public sealed class AlarmTests
{
    private readonly Machine _machine = new();

    [Fact]
    public void No_space_refuses_what_takes_space_and_nothing_else()
    {
        _machine.Grant(7, 10);
        _machine.Put("a", "1", lease: 7);
        _machine.Alarm(Action.Activate, AlarmType.Nospace);

        Assert.Equal(StoreError.NoSpace, _machine.Put("b", "1").Error);
        Assert.Equal(StoreError.NoSpace, _machine.Grant(8, 10).Error);
        Assert.Equal(StoreError.NoSpace, _machine.Txn(new TxnRequest { Failure = { Nested(Put("b")) } }).Error);
        Assert.Equal(StoreError.None, _machine.Txn(new TxnRequest { Success = { Delete("none") } }).Error);
        Assert.Equal(StoreError.None, _machine.Compact(2).Error);
        Assert.Equal(StoreError.None, _machine.Revoke(7).Error);
        Assert.Equal(StoreError.None, _machine.Delete("a").Error);
    }

    [Fact]
    public void Corruption_refuses_every_write_and_wins_over_no_space()
    {
        _machine.Grant(7, 10);
        _machine.Put("a", "1");
        _machine.Alarm(Action.Activate, AlarmType.Nospace);
        _machine.Alarm(Action.Activate, AlarmType.Corrupt, member: 9);

        Assert.Equal(StoreError.Corrupt, _machine.Put("b", "1").Error);
        Assert.Equal(StoreError.Corrupt, _machine.Delete("a").Error);
        Assert.Equal(StoreError.Corrupt, _machine.Txn(new TxnRequest { Success = { Delete("none") } }).Error);
        Assert.Equal(StoreError.Corrupt, _machine.Compact(2).Error);
        Assert.Equal(StoreError.Corrupt, _machine.Grant(8, 10).Error);
        Assert.Equal(StoreError.Corrupt, _machine.Revoke(7).Error);
        Assert.Equal(StoreError.None, _machine.Apply(new InternalRaftRequest { AuthUserAdd = new AuthUserAddRequest { Name = "u" } }).Error);
        Assert.Equal("a=1", _machine.Text());
    }

    [Fact]
    public void Disarming_corruption_leaves_no_space_in_force()
    {
        _machine.Alarm(Action.Activate, AlarmType.Nospace);
        _machine.Alarm(Action.Activate, AlarmType.Corrupt);

        _machine.Alarm(Action.Deactivate, AlarmType.Corrupt);

        Assert.Equal(StoreError.NoSpace, _machine.Put("a", "1").Error);
    }

    [Fact]
    public void Only_the_exact_pair_is_disarmed()
    {
        _machine.Alarm(Action.Activate, AlarmType.Nospace, member: 1);

        var other = (AlarmResponse)_machine.Alarm(Action.Deactivate, AlarmType.Nospace, member: 2).ToResponse()!;
        Assert.Empty(other.Alarms);
        Assert.Equal(StoreError.NoSpace, _machine.Put("a", "1").Error);

        var exact = (AlarmResponse)_machine.Alarm(Action.Deactivate, AlarmType.Nospace, member: 1).ToResponse()!;
        Assert.Equal(new AlarmMember { MemberID = 1, Alarm = AlarmType.Nospace }, Assert.Single(exact.Alarms));
        Assert.Equal(StoreError.None, _machine.Put("a", "1").Error);
    }

    [Fact]
    public void Alarms_are_listed_by_kind()
    {
        _machine.Alarm(Action.Activate, AlarmType.Corrupt, member: 1);
        _machine.Alarm(Action.Activate, AlarmType.Nospace, member: 2);

        var all = (AlarmResponse)_machine.Alarm(Action.Get, AlarmType.None, member: 0).ToResponse()!;
        var some = (AlarmResponse)_machine.Alarm(Action.Get, AlarmType.Corrupt, member: 0).ToResponse()!;

        Assert.Equal([2UL, 1UL], all.Alarms.Select(alarm => alarm.MemberID));
        Assert.Equal([1UL], some.Alarms.Select(alarm => alarm.MemberID));
    }

    [Fact]
    public async Task Alarms_survive_a_restart()
    {
        _machine.Alarm(Action.Activate, AlarmType.Nospace, member: 5);

        await _machine.ReopenAsync(checkpoint: null);

        Assert.Equal(5UL, Assert.Single(_machine.View.Alarms.All).MemberId);
        Assert.Equal(StoreError.NoSpace, _machine.Put("a", "1").Error);
    }

    private static RequestOp Put(string key) => new() { RequestPut = new PutRequest { Key = Machine.Bytes(key) } };

    private static RequestOp Delete(string key) => new() { RequestDeleteRange = new DeleteRangeRequest { Key = Machine.Bytes(key) } };

    private static RequestOp Nested(RequestOp operation) => new() { RequestTxn = new TxnRequest { Success = { operation } } };
}
