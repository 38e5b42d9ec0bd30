using Xunit;

namespace Cairn.Tests.Raft.Safety;

/// <summary>Raft's promises under random faults; and that the checks notice when one is broken.</summary>
public sealed class SafetyTests
{
    private const int SeedsEach = 200;

    [Theory]
    [InlineData(StorageMode.Synchronous)]
    [InlineData(StorageMode.Asynchronous)]
    [InlineData(StorageMode.ApplyUnstable)]
    public void Promises_hold_under_faults_and_progress_returns_after_them(StorageMode mode)
    {
        var (leaders, committed, reads) = (0, 0UL, 0);
        for (var seed = 1UL; seed <= SeedsEach; seed++)
        {
            var cluster = new SafetyCluster(new SafetyOptions(seed, mode));
            try
            {
                cluster.Run();
            }
            catch (Exception violation)
            {
                Assert.Fail($"seed {seed}, {mode}: {violation}");
            }

            leaders += cluster.Ledger.Leaders;
            committed += cluster.Ledger.CommittedIndex;
            reads += cluster.Ledger.ReadsAnswered;
        }

        // A run in which nothing happens proves nothing.
        Assert.True(leaders > 2 * SeedsEach, $"only {leaders} terms had a leader");
        Assert.True(committed > 10 * SeedsEach, $"only {committed} entries were committed");
        Assert.True(reads > SeedsEach / 3, $"only {reads} reads were answered");
    }

    [Theory]
    [InlineData(PlantedFault.ForgetVote, StorageMode.Synchronous)]
    [InlineData(PlantedFault.ForgetVote, StorageMode.Asynchronous)]
    [InlineData(PlantedFault.AnswerBeforeSync, StorageMode.Synchronous)]
    [InlineData(PlantedFault.AnswerBeforeSync, StorageMode.ApplyUnstable)]
    [InlineData(PlantedFault.LoseTail, StorageMode.Synchronous)]
    [InlineData(PlantedFault.LoseTail, StorageMode.ApplyUnstable)]
    public void A_broken_member_is_noticed(PlantedFault fault, StorageMode mode)
    {
        var noticed = 0;
        for (var seed = 1UL; seed <= 1000 && noticed == 0; seed++)
        {
            try
            {
                new SafetyCluster(new SafetyOptions(seed, mode, fault)).Run();
            }
            catch (SafetyViolationException)
            {
                noticed++;
            }
            catch (Exception exception) when (exception.GetType().Name == nameof(InvariantViolatedException))
            {
                // The core's own copy of the type: each assembly has one.
                noticed++;
            }
        }

        Assert.NotEqual(0, noticed);
    }
}
