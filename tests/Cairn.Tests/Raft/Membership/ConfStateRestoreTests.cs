using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.Raft.Membership;
using Cairn.Raft.Progress;
using Xunit;

namespace Cairn.Tests.Raft.Membership;

public sealed class ConfStateRestoreTests
{
    [Fact]
    public void Every_possible_configuration_is_restored_as_it_was()
    {
        var prng = new Prng(1);
        var joint = 0;
        for (var round = 0; round < 5_000; round++)
        {
            var state = RandomState(prng);
            joint += state.VotersOutgoing.IsEmpty ? 0 : 1;
            var tracker = new ProgressTracker(10, 0);

            Assert.Equal(MembershipError.None, ConfStateRestore.Restore(tracker, 10, state));

            Assert.Equal(state, tracker.Config.ToConfState());
        }

        Assert.InRange(joint, 1_000, 4_000);
    }

    [Fact]
    public void Random_changes_keep_every_configuration_sound_and_overlapping()
    {
        var prng = new Prng(2);
        var tracker = new ProgressTracker(10, 0);
        ConfStateRestore.Restore(tracker, 1, new ConfState { Voters = [1, 2, 3] });
        var applied = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var before = tracker.Config;
            var changer = new ConfChanger(tracker, (ulong)round);
            if (changer.Apply(RandomChange(prng)) != MembershipError.None)
            {
                continue;
            }

            var (config, peers) = changer.Result;
            Assert.Null(config.FindFlaw(peers));

            // From one configuration to the next, at most one voter changes, or every decision needs both.
            Assert.True(
                before.Voters.Incoming.DifferenceFrom(config.Voters.Incoming) <= 1
                || (config.Voters.IsJoint && config.Voters.Outgoing.DifferenceFrom(before.Voters.Incoming) == 0));
            tracker.Use(config, peers);
            applied++;
        }

        Assert.InRange(applied, 2_000, 20_000);
    }

    private static ConfChangeV2 RandomChange(Prng prng) => new()
    {
        Transition = (ConfChangeTransition)prng.Below(3),
        Changes = [.. Enumerable.Range(0, prng.Below(4)).Select(_ => new ConfChangeSingle((ConfChangeType)prng.Below(4), (ulong)prng.Below(7)))],
    };

    private static ConfState RandomState(Prng prng)
    {
        var voters = Pick(prng, Enumerable.Range(1, 8));
        voters = voters.IsEmpty ? [1] : voters;
        var outgoing = prng.Chance(1, 2) ? Pick(prng, Enumerable.Range(1, 8)) : [];
        var free = Enumerable.Range(1, 12).Where(id => !voters.Contains((ulong)id) && !outgoing.Contains((ulong)id));
        return new ConfState
        {
            Voters = voters,
            VotersOutgoing = outgoing,
            Learners = Pick(prng, free),
            LearnersNext = Pick(prng, outgoing.Where(id => !voters.Contains(id)).Select(id => (int)id)),
            AutoLeave = !outgoing.IsEmpty && prng.Chance(1, 2),
        };
    }

    private static ImmutableArray<ulong> Pick(Prng prng, IEnumerable<int> ids) => [.. ids.Where(_ => prng.Chance(1, 2)).Select(id => (ulong)id)];
}
