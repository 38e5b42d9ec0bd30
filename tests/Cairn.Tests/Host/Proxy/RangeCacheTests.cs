using Cairn.Host.Proxy;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Host.Proxy;

public sealed class RangeCacheTests
{
    private readonly RangeCache _cache = new();

    [Fact]
    public void What_was_read_linearizably_answers_the_same_serializable_read()
    {
        RangeResponse answer = Keep(Read("k"));

        Assert.Same(answer, _cache.Find(Serializable(Read("k"))));
        Assert.Null(_cache.Find(Serializable(Read("l"))));
        Assert.Equal((1, 1, 1), (_cache.Hits, _cache.Misses, _cache.Count));
    }

    [Theory]
    [InlineData("k", "", "k", "", true)]
    [InlineData("k", "", "l", "", false)]
    [InlineData("a", "k", "k", "", false)]
    [InlineData("a", "l", "k", "", true)]
    [InlineData("k", "", "a", "k", false)]
    [InlineData("k", "", "a", "\0", true)]
    [InlineData("a", "c", "c", "d", false)]
    [InlineData("a", "c", "b", "d", true)]
    [InlineData("b", "\0", "a", "b", false)]
    [InlineData("b", "\0", "z", "", true)]
    public void A_write_forgets_the_reads_that_it_touches(string key, string end, string written, string writtenEnd, bool touches)
    {
        Keep(Read(key, end));

        _cache.Spoil(ByteString.CopyFromUtf8(written), ByteString.CopyFromUtf8(writtenEnd));

        Assert.Equal(touches, _cache.Find(Serializable(Read(key, end))) is null);
    }

    [Fact]
    public void A_read_that_a_write_overtook_is_not_kept()
    {
        RangeCache.Fill fill = _cache.Begin(Read("k"));
        _cache.Spoil(ByteString.CopyFromUtf8("k"), ByteString.Empty);

        _cache.End(fill, new RangeResponse());

        Assert.Null(_cache.Find(Serializable(Read("k"))));
    }

    [Fact]
    public void What_was_read_at_a_revision_stays_until_that_is_compacted()
    {
        RangeRequest past = Read("k");
        past.Revision = 5;
        Keep(past);

        _cache.Spoil(ByteString.CopyFromUtf8("k"), ByteString.Empty);
        _cache.Compact(5);
        Assert.NotNull(_cache.Find(Serializable(past)));

        _cache.Compact(6);
        Assert.Null(_cache.Find(Serializable(past)));
    }

    [Fact]
    public void What_was_not_used_for_longest_makes_room()
    {
        for (int i = 0; i <= 2048; i++)
        {
            Keep(Read($"{i}"));
            Assert.NotNull(_cache.Find(Serializable(Read("0"))));
        }

        Assert.Equal(2048, _cache.Count);
        Assert.Null(_cache.Find(Serializable(Read("1"))));
    }

    private static RangeRequest Read(string key, string end = "") => new() { Key = ByteString.CopyFromUtf8(key), RangeEnd = ByteString.CopyFromUtf8(end) };

    private static RangeRequest Serializable(RangeRequest request) => new(request) { Serializable = true };

    private RangeResponse Keep(RangeRequest request)
    {
        var answer = new RangeResponse { Count = 1 };
        _cache.End(_cache.Begin(request), answer);
        return answer;
    }
}
