using Cairn.Host.Listening;
using Cairn.Tests.Server.Simulated;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class TcpForwarderTests
{
    private readonly SimulatedTime _time = new();
    private readonly TcpForwarder _forwarder;

    public TcpForwarderTests() => _forwarder = new TcpForwarder(["a:1", "b:2", "[::1]:3"], TimeSpan.FromMinutes(1), _time, NullLogger.Instance);

    [Fact]
    public void Targets_are_taken_in_turns()
    {
        Assert.Equal([0, 1, 2], _forwarder.Order());
        Assert.Equal([1, 2, 0], _forwarder.Order());
        Assert.Equal([2, 0, 1], _forwarder.Order());
        Assert.Equal([0, 1, 2], _forwarder.Order());
    }

    [Fact]
    public void A_target_that_was_not_reached_is_left_alone_for_a_while_and_then_tried_last()
    {
        _forwarder.Note(1, wasReached: false);
        Assert.Equal([0, 2], _forwarder.Order());

        _time.Stall(TimeSpan.FromMinutes(1));
        Assert.Equal([2, 0, 1], _forwarder.Order());

        _forwarder.Note(1, wasReached: true);
        Assert.Equal([2, 0, 1], _forwarder.Order());
        Assert.Equal([0, 1, 2], _forwarder.Order());
    }
}
