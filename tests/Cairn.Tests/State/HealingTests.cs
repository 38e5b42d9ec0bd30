using System.Buffers;
using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.State;
using Cairn.State.Healing;
using Cairn.State.Members;
using Cairn.State.Persistence;
using Xunit;

namespace Cairn.Tests.State;

/// <summary>What the cluster is meant to be, as the log changes it.</summary>
public sealed class HealingTests
{
    private const ulong AddNode = 0;
    private const ulong RemoveNode = 1;
    private const ulong AddLearnerNode = 3;

    private readonly Machine _machine = new();

    public HealingTests()
    {
        for (var id = 1UL; id <= 3; id++)
        {
            Start(id);
        }
    }

    private HealingTable Table => _machine.View.Healing;

    [Fact]
    public void Nothing_is_counted_before_a_size_was_set()
    {
        Remove(3);
        Record(new HealingRequest { Begin = new HealEvent { Kind = HealKind.ReplaceWiped } });
        Record(new HealingRequest { Evict = new EvictMember { MemberId = 2 } });

        Assert.False(Table.IsCounting);
        Assert.Empty(Table.Vacancies);
        Assert.Null(Table.Current);
        Assert.Empty(Table.Evicted);
    }

    [Fact]
    public void A_first_size_does_not_replace_one_that_was_set()
    {
        SetSize(3);
        Record(new HealingRequest { SetTargetSize = new SetTargetSize { Size = 7, IfUnset = true } });
        Assert.Equal(3, Table.TargetSize);

        Record(new HealingRequest { SetTargetSize = new SetTargetSize { Size = 5 } });
        Assert.Equal(5, Table.TargetSize);
    }

    [Fact]
    public void Places_that_are_left_before_the_first_size_are_part_of_it()
    {
        PublishAll();
        Remove(3);
        SetSize(3);
        Assert.False(Table.IsCounting, "a leader counted before the removal");

        SetFirstSize(3);
        Assert.Equal((3, 3UL), (Table.TargetSize, Table.FindVacancy(3)!.MemberId));
        Start(10, url: 3);
        Assert.Equal(3, Table.TargetSize);
        Assert.Null(Table.FindVacancy(3));
    }

    [Fact]
    public void Before_the_first_size_a_place_is_taken_left_again_and_given_up_as_after_it()
    {
        PublishAll();
        Remove(3);
        Add(10, url: 3);
        Assert.Null(Table.FindVacancy(3));
        Remove(10);
        Assert.NotNull(Table.FindVacancy(3));

        Evict(3);
        Assert.Empty(Table.Vacancies);
        Assert.Equal([3UL], Table.Evicted);
        SetFirstSize(2);
        Assert.Equal(2, Table.TargetSize);
    }

    [Fact]
    public void While_a_member_of_etcd_runs_nobody_leaves_a_place_before_the_first_size()
    {
        Publish(2, incarnation: 12);
        Publish(3, incarnation: 13);
        Remove(3);
        Remove(1);

        Assert.Empty(Table.Vacancies);
    }

    [Fact]
    public void A_member_that_a_user_adds_makes_the_cluster_larger_and_one_that_never_started_leaves_no_trace()
    {
        SetSize(3);
        Add(4);
        Assert.Equal(4, Table.TargetSize);

        Remove(4);
        Assert.Equal(3, Table.TargetSize);
        Assert.Empty(Table.Vacancies);

        AddLearner(5);
        Assert.Equal(4, Table.TargetSize);
    }

    [Fact]
    public void A_stop_hook_that_removes_and_a_start_script_that_adds_leave_the_size_alone()
    {
        SetSize(3);
        for (var round = 0UL; round < 5; round++)
        {
            var (old, next) = (round == 0 ? 3 : 9 + round, 10 + round);
            Remove(old);
            Assert.Equal((3, old), (Table.TargetSize, Table.FindVacancy(old)!.MemberId));
            Start(next, url: 3);
            Assert.Equal(3, Table.TargetSize);
            Assert.Null(Table.FindVacancy(old));
        }

        Assert.Single(Table.Vacancies);
    }

    [Fact]
    public void A_script_that_gives_up_before_it_started_what_it_added_leaves_the_place_vacant()
    {
        SetSize(3);
        Remove(3);
        Add(10, url: 3);
        Remove(10);

        Assert.Equal(3, Table.TargetSize);
        Assert.NotNull(Table.FindVacancy(3));
    }

    [Fact]
    public void An_eviction_makes_the_cluster_smaller_once_whether_before_the_removal_or_after()
    {
        SetSize(3);
        Remove(3);
        Evict(3);
        Evict(3);
        Assert.Equal(2, Table.TargetSize);
        Assert.Empty(Table.Vacancies);

        Evict(2);
        Remove(2);
        Assert.Equal(1, Table.TargetSize);
        Assert.Empty(Table.Vacancies);
        Assert.Equal([2UL, 3UL], Table.Evicted);
    }

    [Fact]
    public void An_eviction_that_a_person_takes_back_leaves_a_place_and_only_one()
    {
        SetSize(3);
        Remove(3);
        Evict(3);
        var readmit = new HealingRequest { Readmit = new ReadmitMember { MemberId = 3, Name = "m3", PeerUrls = { Url(3) } } };
        Record(readmit);
        Record(readmit);

        Assert.Equal((3, 3UL), (Table.TargetSize, Table.Vacancies.Single().MemberId));
        Assert.Empty(Table.Evicted);
    }

    [Fact]
    public void Evicting_who_was_replaced_or_never_was_changes_no_size()
    {
        SetSize(3);
        Remove(3);
        Start(10, url: 3);
        Evict(3);
        Evict(77);

        Assert.Equal(3, Table.TargetSize);
        Assert.Equal([3UL], Table.Evicted);
    }

    [Fact]
    public void A_heal_replaces_a_member_and_leaves_the_size_alone()
    {
        SetSize(3);
        var id = Begin(HealKind.ReplaceWiped, old: 3, next: 10);
        Remove(3);
        AddLearner(10, url: 3);
        Publish(10);
        Assert.Equal((3, 10UL), (Table.TargetSize, Table.Vacancies.Single().FilledBy));
        End(id, HealOutcome.Healed);

        Assert.Null(Table.Current);
        Assert.Empty(Table.Vacancies);
        Assert.Equal((3, id, HealOutcome.Healed), (Table.TargetSize, Table.Finished[^1].Id, Table.Finished[^1].Outcome));
    }

    [Fact]
    public void A_heal_that_is_given_up_half_way_leaves_a_place_that_can_be_taken()
    {
        SetSize(3);
        var id = Begin(HealKind.ReplaceWiped, old: 3, next: 10);
        Remove(3);
        End(id, HealOutcome.GivenUp);

        Assert.Equal(3, Table.TargetSize);
        Assert.NotNull(Table.FindVacancy(3));
    }

    [Fact]
    public void There_is_one_heal_at_a_time_and_only_its_own_end_ends_it()
    {
        SetSize(3);
        var first = Begin(HealKind.ReplaceWiped, old: 3, next: 10);
        Begin(HealKind.ReplaceWiped, old: 2, next: 11);
        Assert.Equal((first, 3UL), (Table.Current!.Id, Table.Current.OldMember));

        End(first + 1, HealOutcome.Healed);
        Assert.NotNull(Table.Current);
    }

    [Fact]
    public void What_healing_adds_does_not_count_against_the_limit_of_learners()
    {
        SetSize(3);
        Assert.Equal(StoreError.None, AddLearner(20));
        Begin(HealKind.TakeInRemoved, old: 0, next: 10);

        Assert.Equal(StoreError.None, AddLearner(10));
        Assert.Equal(StoreError.TooManyLearners, AddLearner(21));
        Remove(20);
        Assert.Equal(StoreError.None, AddLearner(22));
    }

    [Fact]
    public void Spare_learners_do_not_count_against_the_limit_of_learners_while_all_members_are_cairn()
    {
        SetSize(3);
        for (var id = 1UL; id <= 3; id++)
        {
            Publish(id, incarnation: 100 + id);
        }

        AddLearner(20);
        Assert.Equal(StoreError.TooManyLearners, AddLearner(21));
        Publish(20, incarnation: 120, isStandby: true);
        Assert.Equal(StoreError.None, AddLearner(21));
        Publish(21, incarnation: 121, isStandby: true);
        Start(22);

        // The new one may be of etcd, which counts them.
        Assert.Equal(StoreError.TooManyLearners, AddLearner(23));
    }

    [Fact]
    public void A_voter_is_no_spare_learner_and_who_is_one_stays_one_until_it_is_promoted()
    {
        Publish(1, isStandby: true);
        Assert.False(Member(1).IsStandby);

        AddLearner(10);
        Publish(10, isStandby: true);
        Publish(10);
        Assert.True(Member(10).IsStandby);

        Promote(10);
        Assert.False(Member(10).IsStandby);
    }

    [Fact]
    public void A_lost_voter_and_the_spare_learner_that_replaces_it_swap_their_places()
    {
        SetSize(3);
        AddLearner(10);
        Publish(10, isStandby: true);
        var id = Begin(HealKind.ReplaceLost, old: 3, next: 10);
        Remove(3);
        Promote(10);
        Assert.False(Table.FindVacancy(3)!.IsStandby);
        End(id, HealOutcome.Healed);
        Assert.True(Table.FindVacancy(3)!.IsStandby);

        AddLearner(11);
        Publish(11, isStandby: true);
        Remove(11);
        Assert.True(Table.FindVacancy(11)!.IsStandby);
    }

    [Fact]
    public void A_replacement_that_is_given_up_leaves_the_place_of_a_voter()
    {
        SetSize(3);
        AddLearner(10);
        Publish(10, isStandby: true);
        var id = Begin(HealKind.ReplaceLost, old: 3, next: 10);
        Remove(3);
        End(id, HealOutcome.GivenUp);

        Assert.False(Table.FindVacancy(3)!.IsStandby);
    }

    [Fact]
    public void Verdicts_on_processes_are_kept_until_their_member_is_removed_and_noted()
    {
        SetSize(3);
        Record(new HealingRequest { Verdict = new ProcessVerdict { MemberId = 77, Nonce = 1 } });
        Assert.Empty(Table.Verdicts);

        for (var nonce = 1UL; nonce <= 40; nonce++)
        {
            var heal = new HealEvent { Kind = HealKind.JudgeProcess, Outcome = HealOutcome.Healed };
            Record(new HealingRequest { Verdict = new ProcessVerdict { MemberId = 3, Nonce = nonce, Speaks = nonce % 2 == 0, Heal = heal } });
        }

        Assert.Equal(32, Table.Verdicts.Length);
        Assert.Null(Table.VerdictOn(3, 8));
        Assert.Equal((true, _machine.State.Applied.Index), (Table.VerdictOn(3, 40)!.Speaks, Table.VerdictOn(3, 40)!.Index));
        Assert.Equal(HealKind.JudgeProcess, Table.Finished[^1].Kind);
        Remove(3);
        Assert.Empty(Table.Verdicts);
    }

    [Fact]
    public void Heals_of_one_step_are_noted_and_the_log_is_bounded()
    {
        SetSize(3);
        for (var i = 0; i < 100; i++)
        {
            Record(new HealingRequest { Note = new HealEvent { Kind = HealKind.ClearUnstarted, Name = $"{i}", Outcome = HealOutcome.Healed } });
        }

        Assert.Equal(64, Table.Finished.Length);
        Assert.Equal("99", Table.Finished[^1].Name);
        Assert.Equal(_machine.State.Applied.Index, Table.Finished[^1].Id);
    }

    [Fact]
    public async Task All_of_it_survives_a_restart()
    {
        SetSize(3);
        Remove(3);
        Evict(2);
        var id = Begin(HealKind.TakeInRemoved, old: 3, next: 10);
        End(id, HealOutcome.GivenUp);
        Begin(HealKind.TakeInRemoved, old: 3, next: 11);
        Record(new HealingRequest { Verdict = new ProcessVerdict { MemberId = 1, Nonce = 8, Speaks = true } });
        var before = Table.ToMessage();

        await _machine.ReopenAsync(checkpoint: null);

        Assert.Equal(before, Table.ToMessage());
        Assert.Equal((2, 11UL), (Table.TargetSize, Table.Current!.NewMember));
    }

    private void PublishAll()
    {
        for (var id = 1UL; id <= 3; id++)
        {
            Publish(id, incarnation: 10 + id);
        }
    }

    /// <summary>As a leader sets it: with the places that are vacant.</summary>
    private void SetFirstSize(uint size) =>
        Record(new HealingRequest { SetTargetSize = new SetTargetSize { Size = size, IfUnset = true, Vacancies = { Table.Vacancies.Select(static place => place.ToMessage()) } } });

    private void SetSize(uint size) => Record(new HealingRequest { SetTargetSize = new SetTargetSize { Size = size, IfUnset = true } });

    private void Evict(ulong id) => Record(new HealingRequest { Evict = new EvictMember { MemberId = id } });

    private ulong Begin(HealKind kind, ulong old, ulong next)
    {
        Record(new HealingRequest { Begin = new HealEvent { Kind = kind, OldMember = old, NewMember = next, PeerUrls = { Url(old) } } });
        return _machine.State.Applied.Index;
    }

    private void End(ulong id, HealOutcome outcome) => Record(new HealingRequest { End = new EndHeal { HealId = id, Outcome = outcome, Result = "so" } });

    private void Record(HealingRequest request)
    {
        Assert.Equal(StoreError.None, _machine.Apply(new InternalRaftRequest { Healing = request }).Error);
        _machine.State.AssertInvariants();
    }

    private void Start(ulong id, ulong? url = null)
    {
        Add(id, url);
        Publish(id);
    }

    private MemberRecord Member(ulong id) => _machine.View.Members.Find(id)!;

    private void Promote(ulong id) => Assert.Equal(StoreError.None, Change(AddNode, id, MemberJson.EncodePromotion(id)));

    private void Publish(ulong id, ulong incarnation = 0, bool isStandby = false)
    {
        var attributes = new Cairn.Protocol.Membership.Attributes { Name = $"m{id}", ClientUrls = { "http://c" } };
        _machine.Apply(new InternalRaftRequest
        {
            ClusterMemberAttrSet = new Cairn.Protocol.Membership.ClusterMemberAttrSetRequest
            {
                MemberID = id,
                MemberAttributes = attributes,
                CairnIncarnation = incarnation,
                CairnStandby = isStandby,
            },
        });
    }

    private StoreError Add(ulong id, ulong? url = null) => Change(AddNode, id, new MemberRecord { Id = id, PeerUrls = [Url(url ?? id)] });

    private StoreError AddLearner(ulong id, ulong? url = null) =>
        Change(AddLearnerNode, id, new MemberRecord { Id = id, PeerUrls = [Url(url ?? id)], IsLearner = true });

    private void Remove(ulong id) => Assert.Equal(StoreError.None, Change(RemoveNode, id, Array.Empty<byte>()));

    private StoreError Change(ulong type, ulong id, MemberRecord member) => Change(type, id, MemberJson.Encode(member));

    private StoreError Change(ulong type, ulong id, byte[] context)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        writer.Number(1, 77);
        writer.Number(2, type);
        writer.Number(3, id);
        writer.Bytes(4, context);
        var error = _machine.ApplyRaw(buffer.WrittenSpan.ToArray(), EntryKind.ConfChange).Error;
        _machine.State.AssertInvariants();
        return error;
    }

    private static string Url(ulong id) => $"http://m{id}:2380";
}
