using System.Globalization;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: while the cluster heals from one fault, another one happens. In the end it is whole, with everything that was acknowledged.</summary>
public sealed class FaultPairTests
{
    // The gate tries one pair; an endurance run asks for more, and another seed tries other ones.
    private static int Pairs => LongForm.Number("CAIRN_FAULT_PAIRS", 1);

    private static int Seed => LongForm.Number("CAIRN_FAULT_SEED", 1);

    [Fact]
    public async Task A_second_fault_during_a_heal_leaves_a_cluster_that_heals()
    {
        await using var cluster = await HealingCluster.StartAsync(3, HealingCluster.PatientWithHooks);
        var chance = new Prng((ulong)Seed);
        for (var round = 0; round < Pairs; round++)
        {
            await cluster.WriteAsync();
            var victim = cluster.Members[chance.Below(cluster.Members.Length)];
            var (first, second) = ((FirstFault)chance.Below(3), (SecondFault)chance.Below(5));
            var delay = TimeSpan.FromMilliseconds(chance.Below(3000));
            var what = string.Create(CultureInfo.InvariantCulture, $"round {round}: {first} of {victim.Name}, {delay.TotalSeconds:F1} s later {second}");
            TestContext.Current.SendDiagnosticMessage(what);

            await StrikeAsync(cluster, victim, first);
            await Task.Delay(delay);
            await StrikeAsync(cluster, victim, second);
            var took = await cluster.HealedAsync();
            TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{what}: whole again {took.TotalSeconds:F1} s later"));
        }
    }

    private static async Task StrikeAsync(HealingCluster cluster, ClusterMember victim, FirstFault fault)
    {
        switch (fault)
        {
            case FirstFault.Wipe:
                await cluster.WipeAsync(victim);
                break;
            case FirstFault.StopHook:
                await HealingCluster.StopWithHookAsync(victim);
                victim.Launch(cluster.Members);
                break;
            default:
                await victim.KillAsync();
                victim.Launch(cluster.Members);
                break;
        }
    }

    /// <summary>Of three members one is healed: who else fails comes back with what it had, or nothing could be healed without a person.</summary>
    private static async Task StrikeAsync(HealingCluster cluster, ClusterMember victim, SecondFault fault)
    {
        var others = cluster.Members.Where(member => member != victim).ToArray();
        switch (fault)
        {
            case SecondFault.KillOfAnother:
                await others[0].KillAsync();
                others[0].Launch(cluster.Members);
                break;
            case SecondFault.KillOfBothOthers:
                await Task.WhenAll(others.Select(static member => member.KillAsync()));
                Array.ForEach(others, member => member.Launch(cluster.Members));
                break;
            case SecondFault.PauseOfAnother:
                Signals.SendStop(others[1].Run.Process);
                await Task.Delay(TimeSpan.FromSeconds(4));
                Signals.SendContinue(others[1].Run.Process);
                break;
            case SecondFault.KillOfTheSame:
                await victim.KillAsync();
                victim.Launch(cluster.Members);
                break;
            default:
                await cluster.WipeAsync(victim);
                break;
        }
    }

    private enum FirstFault
    {
        Wipe,
        StopHook,
        Kill,
    }

    private enum SecondFault
    {
        KillOfAnother,
        KillOfBothOthers,
        PauseOfAnother,
        KillOfTheSame,
        WipeOfTheSame,
    }
}
