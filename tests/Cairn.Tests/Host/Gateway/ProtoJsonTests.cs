using System.Buffers;
using System.Text;
using Cairn.Host.Gateway;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Host.Gateway;

public sealed class ProtoJsonTests
{
    [Fact]
    public void Answers_use_the_names_of_the_proto_files_strings_for_wide_integers_and_no_blanks()
    {
        var answer = new RangeResponse { Header = new ResponseHeader { ClusterId = ulong.MaxValue, Revision = 2 }, Count = 1 };
        answer.Kvs.Add(new KeyValue { Key = ByteString.CopyFromUtf8("foo"), CreateRevision = 2, ModRevision = 2, Version = 1, Value = ByteString.CopyFrom(0xfb, 0xff) });

        Assert.Equal(
            """{"header":{"cluster_id":"18446744073709551615","revision":"2"},"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"+/8="}],"count":"1"}""",
            Json(answer));
    }

    [Fact]
    public void Zero_values_are_left_out_and_present_messages_stay()
    {
        Assert.Equal("""{"header":{}}""", Json(new PutResponse { Header = new ResponseHeader() }));
        Assert.Equal("""{"header":{},"hash":7}""", Json(new HashKVResponse { Header = new ResponseHeader(), Hash = 7 }));
        Assert.Equal("""{"request_put":{}}""", Json(new RequestOp { RequestPut = new PutRequest() }));
    }

    [Fact]
    public void Enums_are_named_and_unknown_ones_numbered()
    {
        Assert.Equal("""{"alarms":[{"memberID":"1","alarm":"NOSPACE"},{"alarm":9}]}""", Json(new AlarmResponse
        {
            Alarms = { new AlarmMember { MemberID = 1, Alarm = AlarmType.Nospace }, new AlarmMember { Alarm = (AlarmType)9 } },
        }));
    }

    [Fact]
    public void Strings_are_escaped_as_go_does()
    {
        Assert.Equal("""{"cancel_reason":"a\"b\\c\n\u0001\u003c\u003e\u0026ü"}""", Json(new WatchResponse { CancelReason = "a\"b\\c\n\u0001<>&ü" }));
    }

    [Theory]
    [InlineData("""{"key":"Zm9v","range_end":"Zm9w","limit":"5"}""")]
    [InlineData("""{"key":"Zm9v","rangeEnd":"Zm9w","limit":5}""")]
    [InlineData("""{"key":"Zm9v","range_end":"Zm9w","limit":5e0,"unknown":{"a":[1,{}]},"sort_order":null}""")]
    [InlineData("""{"key":"Zm9v","range_end":"Zm9w","limit":5} trailing text is ignored""")]
    public void Requests_are_read_in_every_spelling(string json)
    {
        var expected = new RangeRequest { Key = ByteString.CopyFromUtf8("foo"), RangeEnd = ByteString.CopyFromUtf8("fop"), Limit = 5 };
        Assert.Equal(expected, ProtoJsonReader.Read(Encoding.UTF8.GetBytes(json), RangeRequest.Descriptor));
    }

    [Theory]
    [InlineData("\"-_8=\"")]
    [InlineData("\"+/8\"")]
    [InlineData("\"+/8=\"")]
    public void Base64_is_read_in_both_alphabets_with_or_without_padding(string value)
    {
        var request = (PutRequest)ProtoJsonReader.Read(Encoding.UTF8.GetBytes($$"""{"value":{{value}}}"""), PutRequest.Descriptor);
        Assert.Equal(new byte[] { 0xfb, 0xff }, request.Value.ToByteArray());
    }

    [Fact]
    public void Enums_are_read_by_name_and_by_number()
    {
        const string Json = """{"compare":[{"target":"MOD","result":3,"key":"YQ==","mod_revision":"0"}],"success":[{"requestPut":{"key":"YQ=="}}]}""";
        var txn = (TxnRequest)ProtoJsonReader.Read(Encoding.UTF8.GetBytes(Json), TxnRequest.Descriptor);

        Assert.Equal(Compare.Types.CompareTarget.Mod, txn.Compare[0].Target);
        Assert.Equal(Compare.Types.CompareResult.NotEqual, txn.Compare[0].Result);
        Assert.Equal(Compare.TargetUnionOneofCase.ModRevision, txn.Compare[0].TargetUnionCase);
        Assert.Equal(RequestOp.RequestOneofCase.RequestPut, txn.Success[0].RequestCase);
    }

    [Fact]
    public void The_choice_of_a_oneof_may_be_wrapped_in_its_name()
    {
        const string Json = """{"compare":[{"TargetUnion":{"create_revision":7}}],"success":[{"Request":{"request_put":{"key":"YQ=="}}}]}""";
        var txn = (TxnRequest)ProtoJsonReader.Read(Encoding.UTF8.GetBytes(Json), TxnRequest.Descriptor);

        Assert.Equal(7, txn.Compare[0].CreateRevision);
        Assert.Equal("a", txn.Success[0].RequestPut.Key.ToStringUtf8());
    }

    [Fact]
    public void Names_are_told_apart_by_case()
    {
        var grant = (LeaseGrantRequest)ProtoJsonReader.Read("""{"ttl":5,"TTL":"9"}"""u8, LeaseGrantRequest.Descriptor);
        Assert.Equal(new LeaseGrantRequest { TTL = 9 }, grant);
    }

    [Fact]
    public void An_empty_body_is_the_empty_message()
    {
        Assert.Equal(new StatusRequest(), ProtoJsonReader.Read(default, StatusRequest.Descriptor));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("""{"key":7}""")]
    [InlineData("""{"key":"not base64!"}""")]
    [InlineData("""{"key":"YQ="}""")]
    [InlineData("""{"key":"YQ==="}""")]
    [InlineData("""{"key":"YQ======"}""")]
    [InlineData("""{"key":"YWJj===="}""")]
    [InlineData("""{"limit":"014"}""")]
    [InlineData("""{"limit":"-00"}""")]
    [InlineData("""{"limit":"+1"}""")]
    [InlineData("""{"limit":"5."}""")]
    [InlineData("""{"limit":"x"}""")]
    [InlineData("""{"limit":1.5}""")]
    [InlineData("""{"limit":"9223372036854775808"}""")]
    [InlineData("""{"sort_order":"UPWARDS"}""")]
    [InlineData("""{"serializable":"maybe"}""")]
    [InlineData("""{"key":"YQ==",}""")]
    public void What_is_not_the_message_is_refused(string json)
    {
        Assert.Throws<ProtoJsonException>(() => ProtoJsonReader.Read(Encoding.UTF8.GetBytes(json), RangeRequest.Descriptor));
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        var deep = string.Concat(Enumerable.Repeat("""{"success":[{"request_txn":""", 1000));
        Assert.Throws<ProtoJsonException>(() => ProtoJsonReader.Read(Encoding.UTF8.GetBytes(deep), TxnRequest.Descriptor));
    }

    [Fact]
    public void Every_message_survives_the_round_trip()
    {
        var txn = new TxnRequest
        {
            Compare = { new Compare { Target = Compare.Types.CompareTarget.Value, Key = ByteString.CopyFromUtf8("k"), Value = ByteString.CopyFrom(0, 255), RangeEnd = ByteString.CopyFrom(0) } },
            Success = { new RequestOp { RequestTxn = new TxnRequest { Failure = { new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = ByteString.CopyFromUtf8("x"), PrevKv = true } } } } } },
            Failure = { new RequestOp { RequestRange = new RangeRequest { Revision = -1, SortTarget = RangeRequest.Types.SortTarget.Value } } },
        };
        Assert.Equal(txn, ProtoJsonReader.Read(Encoding.UTF8.GetBytes(Json(txn)), TxnRequest.Descriptor));
    }

    private static string Json(IMessage message)
    {
        var output = new ArrayBufferWriter<byte>();
        ProtoJsonWriter.Write(message, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
