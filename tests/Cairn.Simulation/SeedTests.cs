using Xunit;

namespace Cairn.Simulation;

/// <summary>The short form that runs with every build.</summary>
public sealed class SeedTests
{
    // A planted bug takes at most a dozen seeds; a checker that needs more has become blind.
    private const ulong SeedsToFindMax = 30;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Members_keep_every_promise_through_everything(int part)
    {
        for (var seed = (ulong)part; seed <= 200; seed += 4)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed });

            Assert.True(result.Failure is null, $"seed {seed}: {result.Failure}");
        }
    }

    [Fact]
    public void Bits_that_flip_in_files_are_never_served_and_are_healed()
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed, Rots = true });

            Assert.True(result.Failure is null, $"seed {seed}: {result.Failure}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Members_heal_from_faults_that_begin_while_another_is_being_healed(int part)
    {
        var pairs = 0;
        for (var seed = (ulong)part; seed <= 24; seed += 2)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed, Heals = true });

            Assert.True(result.Failure is null, $"seed {seed}: {result.Failure}");
            pairs += result.Pairs.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        }

        Assert.True(pairs > 0);
    }

    // It was told of no voters yet, so that none was missing.
    [Fact]
    public void A_learner_that_has_only_just_joined_founds_no_epoch_beside_its_cluster() => Heals(2033);

    // A learner that had moved could not tell where it is.
    [Fact]
    public void A_spare_learner_whose_disk_is_exchanged_with_that_of_a_voter_is_found_where_it_is() => Heals(14);

    // Founder and wiped members knew each other's old addresses only.
    [Fact]
    public void A_survivor_that_has_moved_before_it_founds_an_epoch_is_found_by_those_who_lost_their_disks() => Heals(29);

    // By its name an empty disk attested for a voter whose own place only did not answer.
    [Fact]
    public void An_empty_disk_says_nothing_of_a_voter_of_its_name_that_stands_at_the_place_of_another() => Heals(1102048);

    // Whoever took it in had not applied yet that it had started, and nobody fed it.
    [Fact]
    public void A_wiped_member_that_was_taken_in_under_its_old_id_asks_for_a_new_one() => Heals(1101530);

    // The address of the other voter led a new leader to itself, and what it remembered counted as a quorum's.
    [Fact]
    public void Renewals_are_not_missed_by_a_leader_that_takes_itself_for_another_member() => Heals(1200789);

    // The state that was fetched was older than the one that was damaged, so that a part of the log counted again which had rotted as well: the process did not start.
    [Fact]
    public void A_log_that_is_needed_again_after_the_state_was_fetched_and_is_damaged_makes_a_new_member() =>
        Assert.Null(Simulation.Run(new SimulationOptions { Seed = 105, Rots = true }).Failure);

    // The copy of a disk took the address of the member that it overwrote; the original had moved before, was sent away, and was at an address that no list has.
    [Fact]
    public void The_original_of_a_copied_disk_comes_back_as_the_member_that_the_copy_overwrote() => Heals(1613051);

    // Both others moved before it was fenced, and it asked where they had been.
    [Fact]
    public void A_fenced_member_finds_the_others_where_they_have_moved() => Heals(1300303);

    [Fact]
    public void A_process_in_whose_favour_was_decided_before_a_forgotten_promise_came_to_light_comes_back_as_a_new_member() => Heals(1722555);

    [Fact]
    public void A_survivor_that_has_promised_itself_to_the_epoch_of_another_founds_none_by_what_it_saw_before() => Heals(1733366, members: 5);

    // The copy of its disk had become the member meanwhile, and the heal that waited for its silence kept everybody else from being healed.
    [Fact]
    public void A_heal_does_not_wait_for_the_place_of_a_member_that_lives_on_elsewhere() => Heals(4002763, members: 5);

    // Both others had moved: it found nobody to tell it that it is not heard, and the leader, who found it, heard of no dispute.
    [Fact]
    public void A_member_on_an_old_disk_that_knows_nobodys_address_is_replaced() => Heals(5001635, members: 3);

    [Theory]
    [InlineData(nameof(Plant.VoteTwice))]
    [InlineData(nameof(Plant.AckBeforeSync))]
    [InlineData(nameof(Plant.CommitByCounting))]
    [InlineData(nameof(Plant.LostWatchEvent))]
    [InlineData(nameof(Plant.EarlyLeaseExpiry))]
    [InlineData(nameof(Plant.StaleRead))]
    public void A_planted_bug_is_found(string name)
    {
        var plant = Enum.Parse<Plant>(name);
        var seed = 1UL;
        while (seed <= SeedsToFindMax && Simulation.Run(new SimulationOptions { Seed = seed, Plant = plant }).Failure is null)
        {
            seed++;
        }

        Assert.InRange(seed, 1UL, SeedsToFindMax);
    }

    [Fact]
    public void A_seed_decides_everything()
    {
        var once = Simulation.Run(new SimulationOptions { Seed = 42, Members = 3 });
        var again = Simulation.Run(new SimulationOptions { Seed = 42, Members = 3 });
        var another = Simulation.Run(new SimulationOptions { Seed = 43, Members = 3 });

        Assert.Equal(once, again);
        Assert.NotEqual(once.Trace, another.Trace);
    }

    private static void Heals(ulong seed, int? members = null) => Assert.Null(Simulation.Run(new SimulationOptions { Seed = seed, Members = members, Heals = true }).Failure);
}
