using Cairn.Protocol;
using Cairn.State;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.State;

public sealed class RequestValidationTests
{
    // etcd's default.
    private const int OperationsMax = 128;

    [Fact]
    public void Requests_without_a_key_are_refused()
    {
        Assert.Equal(StoreError.EmptyKey, RequestValidation.Check(new RangeRequest()));
        Assert.Equal(StoreError.EmptyKey, RequestValidation.Check(new PutRequest()));
        Assert.Equal(StoreError.EmptyKey, RequestValidation.Check(new DeleteRangeRequest()));
        Assert.Equal(StoreError.EmptyKey, RequestValidation.Check(new TxnRequest { Compare = { new Compare() } }, OperationsMax));
    }

    [Fact]
    public void Sort_options_that_do_not_exist_are_refused()
    {
        Assert.Equal(StoreError.InvalidSortOption, RequestValidation.Check(new RangeRequest { Key = Key("a"), SortOrder = (RangeRequest.Types.SortOrder)3 }));
        Assert.Equal(
            StoreError.InvalidSortOption,
            RequestValidation.Check(new RangeRequest { Key = Key("a"), SortTarget = (RangeRequest.Types.SortTarget)(-1) }));
    }

    [Fact]
    public void What_is_to_be_kept_must_not_be_given()
    {
        Assert.Equal(StoreError.ValueProvided, RequestValidation.Check(new PutRequest { Key = Key("a"), Value = Key("v"), IgnoreValue = true }));
        Assert.Equal(StoreError.LeaseProvided, RequestValidation.Check(new PutRequest { Key = Key("a"), Lease = 1, IgnoreLease = true }));
    }

    [Fact]
    public void An_operation_with_nothing_in_it_is_answered_key_not_found() =>
        Assert.Equal(StoreError.KeyNotFound, Check(new RequestOp()));

    [Fact]
    public void The_empty_transaction_is_fine_and_only_reads()
    {
        Assert.Equal(StoreError.None, Check());
        Assert.True(RequestValidation.IsReadOnly(new TxnRequest()));
        Assert.True(RequestValidation.IsSerializable(new TxnRequest()));
    }

    [Theory]
    [InlineData(127, StoreError.None)]
    [InlineData(128, StoreError.TooManyOperations)]
    public void A_nested_transaction_has_what_its_parent_left(int operations, StoreError expected)
    {
        var nested = new TxnRequest();
        nested.Success.AddRange(Enumerable.Range(0, operations).Select(i => Put($"k{i}")));

        Assert.Equal(expected, Check(Nest(nested)));
    }

    [Fact]
    public void A_key_is_not_put_twice() => Assert.Equal(StoreError.DuplicateKey, Check(Put("a"), Put("a")));

    [Fact]
    public void A_key_is_not_put_and_deleted() => Assert.Equal(StoreError.DuplicateKey, Check(Put("b"), Delete("a", "c")));

    [Fact]
    public void A_key_is_not_put_here_and_in_a_nested_branch() =>
        Assert.Equal(StoreError.DuplicateKey, Check(Nest(new TxnRequest { Failure = { Put("a") } }), Put("a")));

    [Fact]
    public void Two_nested_transactions_do_not_put_the_same_key() =>
        Assert.Equal(StoreError.DuplicateKey, Check(Nest(new TxnRequest { Success = { Put("a") } }), Nest(new TxnRequest { Failure = { Put("a") } })));

    [Fact]
    public void Branches_that_exclude_each_other_may_put_the_same_key() =>
        Assert.Equal(StoreError.None, Check(Nest(new TxnRequest { Success = { Put("a") }, Failure = { Put("a") } })));

    [Fact]
    public void Both_lists_are_checked_for_themselves()
    {
        var request = new TxnRequest { Success = { Put("a") }, Failure = { Put("a") } };
        Assert.Equal(StoreError.None, RequestValidation.Check(request, OperationsMax));

        request.Failure.Add(Put("a"));
        Assert.Equal(StoreError.DuplicateKey, RequestValidation.Check(request, OperationsMax));
    }

    [Fact]
    public void A_put_and_a_range_and_two_deletions_of_one_key_are_fine() =>
        Assert.Equal(
            StoreError.None,
            Check(Put("a"), new RequestOp { RequestRange = new RangeRequest { Key = Key("a") } }, Delete("b", "c"), Delete("b", "")));

    [Fact]
    public void Ranges_from_a_key_on_are_not_seen_as_overlapping() => Assert.Equal(StoreError.None, Check(Put("b"), Delete("a", "\0"), Delete("c", "a")));

    [Fact]
    public void A_nested_deletion_is_held_against_later_siblings_only()
    {
        var put = Nest(new TxnRequest { Success = { Put("a") } });
        var delete = Nest(new TxnRequest { Success = { Delete("a", "") } });

        Assert.Equal(StoreError.None, Check(put, delete));
        Assert.Equal(StoreError.DuplicateKey, Check(delete, put));
        Assert.Equal(StoreError.None, Check(Nest(new TxnRequest { Success = { Put("a") }, Failure = { Delete("a", "") } })));
    }

    [Fact]
    public void The_cost_of_a_transaction_is_that_of_its_heavier_branch_with_nested_puts()
    {
        var request = new TxnRequest { Success = { Put("a") }, Failure = { Nest(new TxnRequest { Success = { Put("bb") } }), Delete("c", "") } };

        Assert.Equal(256 + 2, RequestValidation.Cost(request));
        Assert.Equal(0, RequestValidation.Cost(new TxnRequest { Success = { Delete("a", "") } }));
    }

    [Fact]
    public void Alarms_that_do_not_exist_are_refused()
    {
        Assert.Equal(StoreError.InvalidAlarm, RequestValidation.Check(new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Activate, Alarm = (AlarmType)3 }));
        Assert.Equal(StoreError.None, RequestValidation.Check(new AlarmRequest { Alarm = (AlarmType)3 }));
        Assert.Equal(StoreError.InvalidAlarm, RequestValidation.Check(new AlarmRequest { Action = (AlarmRequest.Types.AlarmAction)3 }));
        Assert.Equal(StoreError.None, RequestValidation.Check(new AlarmRequest()));
    }

    private static StoreError Check(params RequestOp[] success) => RequestValidation.Check(new TxnRequest { Success = { success } }, OperationsMax);

    private static ByteString Key(string text) => Machine.Bytes(text);

    private static RequestOp Put(string key) => new() { RequestPut = new PutRequest { Key = Key(key) } };

    private static RequestOp Delete(string key, string end) => new() { RequestDeleteRange = new DeleteRangeRequest { Key = Key(key), RangeEnd = Key(end) } };

    private static RequestOp Nest(TxnRequest request) => new() { RequestTxn = request };
}
