using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Whatever happens to disks, in whatever order processes start, there is one cluster: nobody founds another beside it.</summary>
/// <remarks>Source: docs/decisions/0009.</remarks>
internal sealed class OneCluster : StepInvariant
{
    private ulong _id;

    public override string? OnStep(ClusterRecord record, MemberSight sight)
    {
        _id = _id == 0 ? sight.Now.ClusterId : _id;
        return sight.Now.ClusterId == _id ? null : $"{sight.Member:x} is of cluster {sight.Now.ClusterId:x}, and {_id:x} was founded before";
    }
}
