using Cairn.Client;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Client;

public sealed class KeyRangeTests
{
    [Theory]
    [InlineData("61", "62")]
    [InlineData("6162", "6163")]
    [InlineData("61ff", "62")]
    [InlineData("61ffff", "62")]
    [InlineData("ff", "00")]
    [InlineData("ffff", "00")]
    public void A_prefix_ends_before_the_least_key_that_lies_above_all_its_keys(string prefix, string end)
    {
        var range = KeyRange.Prefix(Bytes(prefix));

        Assert.Equal(new KeyRange(Bytes(prefix), Bytes(end)), range);
    }

    [Fact]
    public void The_empty_prefix_and_the_empty_begin_are_all_keys()
    {
        Assert.Equal(new KeyRange(Bytes("00"), Bytes("00")), KeyRange.All);
        Assert.Equal(KeyRange.All, KeyRange.Prefix(""));
        Assert.Equal(KeyRange.All, KeyRange.From(ByteString.Empty));
    }

    [Fact]
    public void A_key_alone_has_no_end_and_a_key_with_all_after_it_ends_with_a_zero_byte()
    {
        Assert.Equal(new KeyRange(Bytes("61"), ByteString.Empty), KeyRange.Of(Bytes("61")));
        Assert.Equal(new KeyRange(Bytes("61"), Bytes("00")), KeyRange.From(Bytes("61")));
    }

    private static ByteString Bytes(string hex) => ByteString.CopyFrom(Convert.FromHexString(hex));
}
