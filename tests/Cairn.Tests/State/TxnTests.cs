using Cairn.Protocol;
using Cairn.State;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.State;

public sealed class TxnTests
{
    private readonly Machine _machine = new();

    [Fact]
    public void Headers_inside_hold_the_revision_before_the_first_write_and_the_new_one_after()
    {
        _machine.Put("a", "1");

        var request = new TxnRequest { Success = { Range("a"), Put("a", "2"), Range("a"), Delete("none"), Nest(new TxnRequest()) } };
        var response = (TxnResponse)_machine.Txn(request).ToResponse()!;

        Assert.Equal(3, response.Header.Revision);
        Assert.Equal(2, response.Responses[0].ResponseRange.Header.Revision);
        Assert.Equal(3, response.Responses[1].ResponsePut.Header.Revision);
        Assert.Equal(3, response.Responses[2].ResponseRange.Header.Revision);
        Assert.Equal(3, response.Responses[2].ResponseRange.Kvs[0].ModRevision);
        Assert.Equal(3, response.Responses[3].ResponseDeleteRange.Header.Revision);
        Assert.Equal(new ResponseHeader(), response.Responses[4].ResponseTxn.Header);
    }

    [Fact]
    public void A_branch_without_effect_makes_no_revision()
    {
        var result = _machine.Txn(new TxnRequest { Success = { Delete("none") } });

        Assert.Equal(1, result.Revision);
        Assert.Equal(1, ((TxnResponse)result.ToResponse()!).Header.Revision);
    }

    [Fact]
    public void All_branches_are_chosen_on_the_state_before()
    {
        var nested = new TxnRequest { Compare = { Version("a", 1) }, Success = { Put("b", "yes") }, Failure = { Put("b", "no") } };

        _machine.Txn(new TxnRequest { Success = { Put("a", "1"), Nest(nested) } });

        Assert.Equal("a=1 b=no", _machine.Text());
    }

    [Theory]
    [InlineData(Compare.Types.CompareResult.Equal, false)]
    [InlineData(Compare.Types.CompareResult.NotEqual, false)]
    [InlineData(Compare.Types.CompareResult.Greater, false)]
    [InlineData(Compare.Types.CompareResult.Less, false)]
    public void A_value_that_is_not_there_compares_to_nothing(Compare.Types.CompareResult how, bool expected)
    {
        var compare = new Compare { Key = Machine.Bytes("a"), Target = Compare.Types.CompareTarget.Value, Result = how, Value = ByteString.Empty };

        Assert.Equal(expected, Holds(compare));
    }

    [Fact]
    public void A_missing_key_has_zero_for_every_number()
    {
        Assert.True(Holds(Version("a", 0)));
        Assert.True(Holds(new Compare { Key = Machine.Bytes("a"), Target = Compare.Types.CompareTarget.Lease }));
    }

    [Fact]
    public void An_unknown_target_is_equal_and_an_unknown_result_is_true()
    {
        Assert.True(Holds(new Compare { Key = Machine.Bytes("a"), Target = (Compare.Types.CompareTarget)9 }));
        Assert.False(Holds(new Compare { Key = Machine.Bytes("a"), Target = (Compare.Types.CompareTarget)9, Result = Compare.Types.CompareResult.Less }));
        Assert.True(Holds(new Compare { Key = Machine.Bytes("a"), Result = (Compare.Types.CompareResult)9, Version = 5 }));
    }

    [Fact]
    public void A_comparison_of_a_range_must_hold_for_every_key()
    {
        _machine.Put("a", "1");
        _machine.Put("b", "1");
        _machine.Put("b", "2");

        Assert.False(Holds(new Compare { Key = Machine.Bytes("a"), RangeEnd = Machine.Bytes("c"), Version = 1 }));
        Assert.True(Holds(new Compare { Key = Machine.Bytes("a"), RangeEnd = Machine.Bytes("b"), Version = 1 }));
        Assert.True(Holds(new Compare { Key = Machine.Bytes("x"), RangeEnd = Machine.Bytes("z"), Version = 0 }));
    }

    [Fact]
    public void Bug_18799_a_transaction_that_cannot_finish_does_not_begin()
    {
        _machine.Put("a", "1");

        foreach (var last in new[] { PutKeepingValue("none"), PutWithLease("b", 99), RangeAt("a", 77) })
        {
            var result = _machine.Txn(new TxnRequest { Success = { Put("a", "2"), last } });

            Assert.NotEqual(StoreError.None, result.Error);
            Assert.True(result.Events.IsEmpty);
        }

        Assert.Equal("a=1", _machine.Text());
        Assert.Equal(2, _machine.View.Revision);
    }

    [Fact]
    public void A_value_kept_behind_its_own_deletion_refuses_the_whole()
    {
        _machine.Put("a", "1");
        var fromKey = new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = Machine.Bytes("a"), RangeEnd = ByteString.CopyFrom(0) } };
        var request = new TxnRequest { Success = { fromKey, PutKeepingValue("a") } };
        Assert.Equal(StoreError.None, RequestValidation.Check(request, 128));

        var result = _machine.Txn(request);

        Assert.Equal(StoreError.KeyNotFound, result.Error);
        Assert.Equal("a=1", _machine.Text());
    }

    [Fact]
    public void Bug_18667_a_range_at_an_old_revision_answers_alike_whatever_was_swept()
    {
        var swept = new Machine();
        foreach (var machine in new[] { _machine, swept })
        {
            machine.Put("a", "1");
            machine.Put("a", "2");
            machine.Put("a", "3");
            machine.Compact(3);
        }

        swept.SweepAll();
        foreach (var revision in new long[] { -1, 1, 2, 3, 4, 5 })
        {
            var request = new TxnRequest { Success = { RangeAt("a", revision), Put("b", "1") } };
            var result = _machine.Txn(request.Clone());
            var other = swept.Txn(request.Clone());

            Assert.Equal(result.Error, other.Error);
            Assert.Equal(result.ToResponse(), other.ToResponse());
        }

        Assert.Equal(_machine.View.Revision, swept.View.Revision);
    }

    [Fact]
    public void A_transaction_that_only_reads_needs_no_log()
    {
        _machine.Put("a", "1");
        var request = new TxnRequest { Compare = { Version("a", 1) }, Success = { Range("a") }, Failure = { Range("b") } };
        Assert.True(RequestValidation.IsReadOnly(request));

        Assert.Equal(StoreError.None, _machine.View.Txn(request, out var response));

        Assert.Equal((2, true), (response!.Header.Revision, response.Succeeded));
        Assert.Equal("1", response.Responses[0].ResponseRange.Kvs[0].Value.ToStringUtf8());
    }

    private static RequestOp Range(string key) => RangeAt(key, 0);

    private static RequestOp RangeAt(string key, long revision) => new() { RequestRange = new RangeRequest { Key = Machine.Bytes(key), Revision = revision } };

    private static RequestOp Put(string key, string value) => new() { RequestPut = new PutRequest { Key = Machine.Bytes(key), Value = Machine.Bytes(value) } };

    private static RequestOp PutKeepingValue(string key) => new() { RequestPut = new PutRequest { Key = Machine.Bytes(key), IgnoreValue = true } };

    private static RequestOp PutWithLease(string key, long lease) => new() { RequestPut = new PutRequest { Key = Machine.Bytes(key), Lease = lease } };

    private static RequestOp Delete(string key) => new() { RequestDeleteRange = new DeleteRangeRequest { Key = Machine.Bytes(key) } };

    private static RequestOp Nest(TxnRequest request) => new() { RequestTxn = request };

    private static Compare Version(string key, long version) => new() { Key = Machine.Bytes(key), Version = version };

    private bool Holds(Compare compare)
    {
        Assert.Equal(StoreError.None, _machine.View.Txn(new TxnRequest { Compare = { compare } }, out var response));
        return response!.Succeeded;
    }
}
