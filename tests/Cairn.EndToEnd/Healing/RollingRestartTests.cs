using System.Globalization;
using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: members are stopped and started one after another, every two seconds if the one before serves again, and clients that try again notice nothing.</summary>
public sealed class RollingRestartTests
{
    private const int Writers = 4;
    private static readonly TimeSpan RestartEvery = TimeSpan.FromSeconds(2);

    // A client gives up after so long.
    private static readonly TimeSpan WriterPatience = TimeSpan.FromSeconds(10);

    // How often it goes round; an endurance run asks for more.
    private static int Rounds => LongForm.Number("CAIRN_HEAL_ROUNDS", 1);

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public async Task Members_that_are_restarted_one_after_another_fail_no_write_of_clients_that_try_again(int count)
    {
        await using var cluster = await HealingCluster.StartAsync(count);
        var termBefore = await TermAsync(cluster);
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, Writers).Select(writer => WriteAsync(cluster, writer, stop.Token)).ToList();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var member in cluster.Members)
            {
                var next = Task.Delay(RestartEvery);
                Signals.SendTerminate(member.Run.Process);
                Assert.Equal(0, await member.Run.EndAsync());
                member.Launch(cluster.Members);
                await member.ReadyAsync();
                await next;
            }
        }

        await stop.CancelAsync();
        var written = await Task.WhenAll(writers);
        var terms = await TermAsync(cluster) - termBefore;
        await cluster.HealedAsync();
        Assert.Equal(0, written.Sum(static writer => writer.Failed));
        await using var client = cluster.Local.Connect();
        for (var writer = 0; writer < Writers; writer++)
        {
            var kept = await client.Kv.GetAsync(KeyRange.Prefix($"w{writer}-"));
            Assert.True(kept.Kvs.Count >= written[writer].Acknowledged, $"writer {writer}: {written[writer].Acknowledged} acknowledged, {kept.Kvs.Count} kept");
        }

        TestContext.Current.SendDiagnosticMessage(string.Create(
            CultureInfo.InvariantCulture,
            $"{count} members, {count * Rounds} restarts: {written.Sum(static writer => writer.Acknowledged)} writes, the longest took {written.Max(static writer => writer.Longest).TotalSeconds:F2} s; {terms} elections"));
    }

    /// <summary>Writes one key after another; each is tried until it is acknowledged, or the client's patience ends.</summary>
    private static async Task<Written> WriteAsync(HealingCluster cluster, int writer, CancellationToken stopped)
    {
        await using var client = cluster.Local.Connect();
        var written = new Written(0, 0, TimeSpan.Zero);
        for (var i = 0; !stopped.IsCancellationRequested; i++)
        {
            var began = TimeProvider.System.GetTimestamp();
            var isAcknowledged = false;
            while (!isAcknowledged && TimeProvider.System.GetElapsedTime(began) < WriterPatience)
            {
                try
                {
                    await client.Kv.PutAsync($"w{writer}-{i}", "1", cancelled: CancellationToken.None);
                    isAcknowledged = true;
                }
                catch (ClientException)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None); // The same key again does no harm.
                }
            }

            var took = TimeProvider.System.GetElapsedTime(began);
            written = new Written(written.Acknowledged + (isAcknowledged ? 1 : 0), written.Failed + (isAcknowledged ? 0 : 1), took > written.Longest ? took : written.Longest);
        }

        return written;
    }

    private static async Task<ulong> TermAsync(HealingCluster cluster)
    {
        await using var client = cluster.Members[0].Connect();
        return (await client.Maintenance.StatusAsync(cluster.Members[0].Endpoint)).RaftTerm;
    }

    private readonly record struct Written(int Acknowledged, int Failed, TimeSpan Longest);
}
