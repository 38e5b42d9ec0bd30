using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Revisions;

/// <summary>Random work against a trivial model; no faults.</summary>
public sealed class RevisionLogModelTests
{
    [Fact]
    public async Task Random_work_reads_as_the_model_says()
    {
        var cleaned = 0;
        for (var seed = 1ul; seed <= 25; seed++)
        {
            var store = await StoreWorkload.OpenAsync(new SimulatedDisk(seed), seed);
            for (var life = 0ul; life < 3; life++)
            {
                for (var i = 0; i < 40; i++)
                {
                    await store.RunAsync(3);
                    store.Check();
                }

                await store.WriteManifestAsync(withCheckpoint: true);
                cleaned += store.Cleaned;
                store = await store.ReopenAndCheckAsync(seed + (life * 1000));
            }
        }

        Assert.True(cleaned > 120, $"only {cleaned} rounds of cleaning: the test does not test what it should");
    }
}
