using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Simulation.Workloads;

/// <summary>Adds a learner once, and starts it as a spare one.</summary>
internal sealed class SpareKeeper(Workload workload, Fleet fleet, int number) : Client(workload, number)
{
    private bool _hasStarted;

    protected override bool IsExpected(NodeError error) => true;

    protected override async Task WorkAsync()
    {
        var spare = Fleet.Describe(Workload.Plan.Members + 1);
        await DelayAsync(TimeSpan.FromSeconds(1));
        if (_hasStarted || await CallAsync(null, node => node.MemberListAsync(new MemberListRequest { Linearizable = true }, default)) is not { } response)
        {
            return;
        }

        if (response.Members.Any(member => member.PeerURLs.SequenceEqual(spare.PeerUrls)))
        {
            ImmutableArray<InitialMember> members = [.. Enumerable.Range(1, Workload.Plan.Members).Select(Fleet.Describe), spare];
            fleet.Join(Workload.Plan.Members + 1, members, isStandby: true);
            _hasStarted = true;
            return;
        }

        await CallAsync(null, node => node.MemberAddAsync(new MemberAddRequest { IsLearner = true, PeerURLs = { spare.PeerUrls } }, default));
    }
}
