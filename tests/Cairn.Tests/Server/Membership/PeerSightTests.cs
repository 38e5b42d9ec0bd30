using Cairn.Server.Membership;
using Xunit;

namespace Cairn.Tests.Server.Membership;

public sealed class PeerSightTests
{
    [Fact]
    public void What_is_shown_is_read_again()
    {
        var sight = new PeerSight(9, new ProcessIdentity(ulong.MaxValue, 3, 0x10), new LogEnd(5, 4, 100));

        Assert.Equal(sight, PeerSight.Parse(sight.ToString()));
        Assert.Equal(sight, PeerSight.Parse(sight + "-7"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("1-2-3")]
    [InlineData("1-2-3-4-5-6-7-x")]
    public void Other_text_shows_nothing(string? text) => Assert.Null(PeerSight.Parse(text));
}
