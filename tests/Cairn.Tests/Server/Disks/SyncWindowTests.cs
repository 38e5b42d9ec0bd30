using Cairn.Server.Disks;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Disks;

public sealed class SyncWindowTests
{
    private readonly SimulatedTime _time = new();
    private readonly SyncWindow _window;

    public SyncWindowTests() => _window = new SyncWindow(_time);

    [Fact]
    public void Nothing_is_known_before_the_first_sync() => Assert.Equal(new SyncTimes(0, default, default, default), _window.Measure());

    [Fact]
    public void Quantiles_are_right_to_a_bucket()
    {
        for (var i = 0; i < 980; i++)
        {
            _window.Add(TimeSpan.FromMilliseconds(3));
        }

        for (var i = 0; i < 20; i++)
        {
            _window.Add(TimeSpan.FromMilliseconds(700));
        }

        var times = _window.Measure();

        Assert.Equal(1000, times.Count);
        Assert.InRange(times.Median.TotalMilliseconds, 3, 3 * Math.Sqrt(2));
        Assert.Equal(700, times.P99.TotalMilliseconds);
        Assert.Equal(700, times.Worst.TotalMilliseconds);
    }

    [Fact]
    public void What_is_older_than_ten_seconds_is_forgotten()
    {
        _window.Add(TimeSpan.FromSeconds(7));
        _time.Stall(TimeSpan.FromSeconds(9));
        _window.Add(TimeSpan.FromMilliseconds(1));
        Assert.Equal((2, TimeSpan.FromSeconds(7)), (_window.Measure().Count, _window.Measure().Worst));

        _time.Stall(TimeSpan.FromSeconds(1));
        Assert.Equal((1, TimeSpan.FromMilliseconds(1)), (_window.Measure().Count, _window.Measure().Worst));
        _time.Stall(TimeSpan.FromHours(1));
        Assert.Equal(0, _window.Measure().Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3600)]
    public void The_shortest_and_the_longest_sync_have_their_bucket(int seconds)
    {
        _window.Add(TimeSpan.FromSeconds(seconds));

        Assert.Equal(TimeSpan.FromSeconds(seconds), _window.Measure().Worst);
        Assert.True(_window.Measure().P99 <= TimeSpan.FromSeconds(seconds));
    }
}
