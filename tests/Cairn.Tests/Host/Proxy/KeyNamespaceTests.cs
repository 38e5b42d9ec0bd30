using Cairn.Host.Proxy;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Host.Proxy;

public sealed class KeyNamespaceTests
{
    [Theory]
    [InlineData("a/", "k", "", "a/k", "")]
    [InlineData("a/", "k", "m", "a/k", "a/m")]
    [InlineData("a/", "k", "\0", "a/k", "a0")]
    [InlineData("a/", "\0", "\0", "a/\0", "a0")]
    [InlineData("a/", "", "", "", "")]
    [InlineData("", "k", "\0", "k", "\0")]
    public void Ranges_are_mapped_into_the_namespace(string prefix, string key, string end, string mappedKey, string mappedEnd)
    {
        var request = new RangeRequest { Key = Bytes(key), RangeEnd = Bytes(end) };

        new KeyNamespace(prefix).Map(request);

        Assert.Equal((mappedKey, mappedEnd), (request.Key.ToStringUtf8(), request.RangeEnd.ToStringUtf8()));
    }

    [Fact]
    public void A_watch_without_a_key_begins_at_the_lowest_key_of_the_namespace()
    {
        var request = new WatchCreateRequest { RangeEnd = Bytes("\0") };

        new KeyNamespace("a/").Map(request);

        Assert.Equal(("a/\0", "a0"), (request.Key.ToStringUtf8(), request.RangeEnd.ToStringUtf8()));
    }

    [Fact]
    public void Transactions_are_mapped_all_the_way_down()
    {
        var request = new TxnRequest
        {
            Compare = { new Compare { Key = Bytes("c"), RangeEnd = Bytes("d") } },
            Success = { new RequestOp { RequestTxn = new TxnRequest { Failure = { new RequestOp { RequestPut = new PutRequest { Key = Bytes("p") } } } } } },
            Failure = { new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes("x"), RangeEnd = Bytes("\0") } }, new RequestOp { RequestRange = new RangeRequest { Key = Bytes("r") } } },
        };

        new KeyNamespace("a/").Map(request);

        Assert.Equal("""{ "compare": [ { "key": "YS9j", "rangeEnd": "YS9k" } ], "success": [ { "requestTxn": { "failure": [ { "requestPut": { "key": "YS9w" } } ] } } ], "failure": """
            + """[ { "requestDeleteRange": { "key": "YS94", "rangeEnd": "YTA=" } }, { "requestRange": { "key": "YS9y" } } ] }""", request.ToString());
    }

    [Fact]
    public void Answers_are_mapped_back()
    {
        var answer = new TxnResponse
        {
            Responses =
            {
                new ResponseOp { ResponseRange = new RangeResponse { Kvs = { new KeyValue { Key = Bytes("a/r") } } } },
                new ResponseOp { ResponsePut = new PutResponse { PrevKv = new KeyValue { Key = Bytes("a/p") } } },
                new ResponseOp { ResponsePut = new PutResponse() },
                new ResponseOp { ResponseDeleteRange = new DeleteRangeResponse { PrevKvs = { new KeyValue { Key = Bytes("a/d") } } } },
            },
        };

        new KeyNamespace("a/").Unmap(answer);

        Assert.Equal("r", answer.Responses[0].ResponseRange.Kvs[0].Key.ToStringUtf8());
        Assert.Equal("p", answer.Responses[1].ResponsePut.PrevKv.Key.ToStringUtf8());
        Assert.Equal("d", answer.Responses[3].ResponseDeleteRange.PrevKvs[0].Key.ToStringUtf8());
    }

    [Fact]
    public void Keys_of_a_lease_that_are_of_another_namespace_are_not_shown()
    {
        var answer = new LeaseTimeToLiveResponse { Keys = { Bytes("b/k"), Bytes("a/k"), Bytes("a") } };

        new KeyNamespace("a/").Unmap(answer);

        Assert.Equal(["k"], answer.Keys.Select(static key => key.ToStringUtf8()));
    }

    private static ByteString Bytes(string text) => ByteString.CopyFromUtf8(text);
}
