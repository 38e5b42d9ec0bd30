using System.Text;
using Cairn.Server.Auth;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Auth;

public sealed class BcryptTests
{
    [Fact]
    public void The_tables_are_the_published_ones()
    {
        Assert.Equal([0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u], BlowfishTables.Subkeys[..4].ToArray());
        Assert.Equal(0x8979FB1Bu, BlowfishTables.Subkeys[^1]);
        Assert.Equal(0xD1310BA6u, BlowfishTables.Boxes[0]);
        Assert.Equal(0x3AC372E6u, BlowfishTables.Boxes[^1]);
    }

    /// <summary>Vectors of the reference implementation (crypt_blowfish), of the JTR suite and of golang.org/x/crypto.</summary>
    [Theory]
    [InlineData("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")]
    [InlineData("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK")]
    [InlineData("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a")]
    [InlineData("", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy")]
    [InlineData("allmine", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga")]
    [InlineData("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe")]
    [InlineData("abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC")]
    public void Known_hashes_are_computed(string password, string hash)
    {
        Assert.True(Bcrypt.Verify(password, Encoding.ASCII.GetBytes(hash)));
        Assert.False(Bcrypt.Verify(password + "x", Encoding.ASCII.GetBytes(hash)));
    }

    [Fact]
    public void What_is_hashed_is_verified()
    {
        var hash = Bcrypt.Hash("pässword", "0123456789abcdef"u8, cost: 4);

        Assert.StartsWith("$2a$04$", hash, StringComparison.Ordinal);
        Assert.Equal(60, hash.Length);
        Assert.True(Bcrypt.Verify("pässword", Encoding.ASCII.GetBytes(hash)));
        Assert.False(Bcrypt.Verify("passwort", Encoding.ASCII.GetBytes(hash)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("secret")]
    [InlineData("$2a$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")]
    [InlineData("$1a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")]
    [InlineData("$2a$05$CCCCCCCCCCCCCCCCCCCC!.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")]
    public void Text_that_is_no_hash_fits_no_password(string hash) => Assert.False(Bcrypt.Verify("U*U", Encoding.ASCII.GetBytes(hash)));

    [Fact]
    public void After_many_wrong_passwords_a_name_may_be_tried_once_a_second()
    {
        var time = new SimulatedTime();
        var limits = new GuessLimits(time);
        for (var i = 0; i < GuessLimits.FailuresMax; i++)
        {
            Assert.True(limits.MayTry("eve"));
            limits.Failed("eve");
        }

        Assert.False(limits.MayTry("eve"));
        Assert.True(limits.MayTry("bob"));
        time.Stall(TimeSpan.FromSeconds(1));
        Assert.True(limits.MayTry("eve"));
        limits.Failed("eve");
        Assert.False(limits.MayTry("eve"));
    }

    [Fact]
    public void Names_that_somebody_makes_up_push_out_the_oldest()
    {
        var limits = new GuessLimits(new SimulatedTime());
        for (var i = 0; i < GuessLimits.FailuresMax; i++)
        {
            limits.Failed("eve");
        }

        for (var i = 0; i < GuessLimits.NamesMax; i++)
        {
            limits.Failed($"name {i}");
        }

        Assert.True(limits.MayTry("eve"));
    }
}
