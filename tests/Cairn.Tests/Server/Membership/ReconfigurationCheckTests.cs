using Cairn.Server;
using Cairn.Server.Membership;
using Cairn.State.Members;
using Xunit;

namespace Cairn.Tests.Server.Membership;

public sealed class ReconfigurationCheckTests
{
    [Theory]
    [InlineData("s", false, NodeError.None)]
    [InlineData("su", false, NodeError.NotEnoughStartedMembers)]
    [InlineData("ss", false, NodeError.None)]
    [InlineData("ssu", false, NodeError.NotEnoughStartedMembers)]
    [InlineData("sss", false, NodeError.None)]
    [InlineData("sssu", false, NodeError.None)]
    [InlineData("suu", true, NodeError.None)]
    [InlineData("ssl", false, NodeError.None)]
    public void A_voter_is_added_only_where_those_who_have_started_stay_a_quorum(string members, bool isLearner, NodeError refusal) =>
        Assert.Equal(refusal, ReconfigurationCheck.JudgeAdd(Table(members), isLearner, isStrict: true));

    [Theory]
    [InlineData("s", 1, NodeError.NotEnoughStartedMembers)]
    [InlineData("ss", 1, NodeError.None)]
    [InlineData("su", 1, NodeError.NotEnoughStartedMembers)]
    [InlineData("su", 2, NodeError.None)]
    [InlineData("ssu", 1, NodeError.NotEnoughStartedMembers)]
    [InlineData("ssu", 3, NodeError.None)]
    [InlineData("sl", 2, NodeError.None)]
    [InlineData("ss", 9, NodeError.MemberNotFound)]
    public void A_voter_is_removed_only_where_those_who_have_started_stay_a_quorum(string members, ulong id, NodeError refusal) =>
        Assert.Equal(refusal, ReconfigurationCheck.JudgeRemove(Table(members), id, isStrict: true));

    [Fact]
    public void Who_does_not_want_it_strict_may_do_both()
    {
        Assert.Equal(NodeError.None, ReconfigurationCheck.JudgeAdd(Table("suu"), isLearner: false, isStrict: false));
        Assert.Equal(NodeError.None, ReconfigurationCheck.JudgeRemove(Table("su"), id: 1, isStrict: false));
    }

    // A letter a member: started, not started, learner.
    private static MemberTable Table(string members) => MemberTable.Empty with
    {
        Members = [.. members.Select(static (kind, i) => new MemberRecord { Id = (ulong)i + 1, Name = kind == 'u' ? "" : $"m{i}", IsLearner = kind == 'l' })],
    };
}
