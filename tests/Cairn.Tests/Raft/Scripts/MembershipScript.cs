using Cairn.Raft.Membership;
using Cairn.Raft.Progress;
using Xunit;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>Runs scripts of configuration changes: simple, enter-joint, leave-joint.</summary>
internal sealed class MembershipScript
{
    private readonly ProgressTracker _tracker = new(10, 0);
    private ulong _lastIndex;

    public string Run(ScriptDirective directive)
    {
        var steps = RaftText.ParseSteps(directive.Input);
        Assert.NotNull(steps);
        var changer = new ConfChanger(_tracker, _lastIndex++);
        var error = directive.Command switch
        {
            "simple" => changer.Simple(steps.Value.AsSpan()),
            "enter-joint" => changer.EnterJoint(directive.Find("autoleave") == "true", steps.Value.AsSpan()),
            "leave-joint" => changer.LeaveJoint(),
            _ => throw new FormatException($"unknown command {directive.Command}"),
        };
        if (error != MembershipError.None)
        {
            return TextOf(error);
        }

        var (config, peers) = changer.Result;
        _tracker.Use(config, peers);
        return $"{config}\n{peers}";
    }

    private static string TextOf(MembershipError error) => error switch
    {
        MembershipError.AlreadyJoint => "config is already joint",
        MembershipError.NotJoint => "can't leave a non-joint config",
        MembershipError.SimpleChangeWhileJoint => "can't apply simple config change in joint config",
        MembershipError.MoreThanOneVoterChanged => "more than one voter changed without entering joint config",
        MembershipError.AllVotersRemoved => "removed all voters",
        MembershipError.NoVotersToJoin => "can't make a zero-voter config joint",
        _ => error.ToString(),
    };
}
