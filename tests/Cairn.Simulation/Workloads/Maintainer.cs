using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Workloads;

/// <summary>Hands leadership around, has room reclaimed, and compares hashes, as those do who look after a cluster.</summary>
internal sealed class Maintainer(Workload workload, int number) : Client(workload, number)
{
    protected override bool IsExpected(NodeError error) => true;

    protected override async Task WorkAsync()
    {
        await DelayAsync(TimeSpan.FromMilliseconds(Prng.Between(100, 3000)));
        switch (Prng.Below(4))
        {
            case 0:
                await MoveLeaderAsync();
                break;
            case 1:
                await CallAsync(null, node => node.DefragmentAsync(new DefragmentRequest(), default));
                break;
            default:
                await HashAsync();
                break;
        }
    }

    private async Task MoveLeaderAsync()
    {
        var target = Workload.PickMember(Prng).MemberId;
        if (await CallAsync(null, node => node.StatusAsync(new StatusRequest(), default)) is { Leader: not 0 } status && target != 0)
        {
            await CallAsync(null, node => node.MoveLeaderAsync(new MoveLeaderRequest { TargetID = target }, default), Workload.Find(status.Leader));
        }
    }

    private async Task HashAsync()
    {
        var request = new HashKVRequest { Revision = Math.Max(Workload.Witness.Next - 1 - Prng.Below(5), Workload.Begin.Revision) };
        for (var i = 0; i < 3; i++)
        {
            var member = Workload.PickMember(Prng);
            if (await CallAsync(null, node => node.HashKvAsync(request, default), member) is { } answer)
            {
                History.Hashes.Add(new HashRecord(member.Name, answer.HashRevision, answer.CompactRevision, answer.Hash));
            }
        }
    }
}
