using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Founding;

public sealed class LearnedNamesTests
{
    [Fact]
    public void Members_that_were_listed_by_address_found_a_cluster_under_the_names_that_they_give_themselves() => ClusterWorld.Run(
        members: 3,
        async world =>
        {
            foreach (var node in world.Nodes)
            {
                var listed = await node!.MemberListAsync(new MemberListRequest(), NodeRequests.Anyone);
                Assert.Equal(["m0", "m1", "m2"], listed.Value!.Members.Select(static member => member.Name).Order(StringComparer.Ordinal));
            }
        },
        options: new NodeOptions { QuotaBytes = -1, LearnsNames = true });
}
