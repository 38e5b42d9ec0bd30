using Xunit;

namespace Cairn.Simulation;

/// <summary>The short form that runs with every build.</summary>
public sealed class SeedTests
{
    [Fact]
    public void A_member_keeps_every_promise_through_crashes_and_stalls()
    {
        for (ulong seed = 1; seed <= 6; seed++)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed });

            Assert.True(result.Failure is null, $"seed {seed}: {result.Failure}");
        }
    }

    [Fact]
    public void A_seed_decides_everything()
    {
        var once = Simulation.Run(new SimulationOptions { Seed = 42, Members = 3 });
        var again = Simulation.Run(new SimulationOptions { Seed = 42, Members = 3 });
        var another = Simulation.Run(new SimulationOptions { Seed = 43, Members = 3 });

        Assert.Equal(once, again);
        Assert.NotEqual(once.Trace, another.Trace);
    }
}
