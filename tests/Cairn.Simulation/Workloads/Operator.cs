using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Simulation.Workloads;

/// <summary>Changes the membership now and then, and sees to it that processes run for the members that are listed, as an operator does.</summary>
internal sealed class Operator(Workload workload, Fleet fleet, int number) : Client(workload, number)
{
    // As many as anybody runs.
    private const int MembersMax = 7;

    private int _numbers = workload.Plan.Members;

    /// <summary>Whether a process was started for every member of the last list.</summary>
    public bool HasStartedAll { get; private set; }

    protected override bool IsExpected(NodeError error) => true;

    protected override async Task WorkAsync()
    {
        await DelayAsync(TimeSpan.FromMilliseconds(Prng.Between(300, 5000)));
        if (await ListAsync() is not { } members)
        {
            return;
        }

        TakeLeave(members);
        if (!Workload.IsStopping)
        {
            await ChangeAsync(members);
        }
    }

    /// <summary>Lists the members as they are, and starts who is missing; for the time when nobody changes them any more.</summary>
    public async Task SettleAsync()
    {
        while (!HasStartedAll)
        {
            if (await ListAsync() is { } members)
            {
                TakeLeave(members);
            }

            await DelayAsync(TimeSpan.FromMilliseconds(500));
        }
    }

    private static int NumberOf(Member member) => int.Parse(member.PeerURLs[0].AsSpan("http://m".Length, member.PeerURLs[0].Length - "http://m:2380".Length));

    private async Task<IReadOnlyList<Member>?> ListAsync()
    {
        var response = await CallAsync(null, node => node.MemberListAsync(new MemberListRequest { Linearizable = true }, default));
        if (response is not null)
        {
            return response.Members;
        }

        // Perhaps there is no quorum because nobody runs for a new voter: what one member knows tells that, and no more.
        response = await CallAsync(null, node => node.MemberListAsync(new MemberListRequest(), default));
        StartMissing(response?.Members ?? []);
        return null;
    }

    /// <summary>Takes note of who is a member no more, and starts who is missing.</summary>
    private void TakeLeave(IReadOnlyList<Member> members)
    {
        var numbers = members.Select(NumberOf).ToHashSet();
        foreach (var member in fleet.All.Where(member => !numbers.Contains(member.Number)))
        {
            member.Remove();
        }

        StartMissing(members);
        HasStartedAll = true;
    }

    private void StartMissing(IReadOnlyList<Member> members)
    {
        ImmutableArray<InitialMember> list = [.. members.Select(NumberOf).Order().Select(Fleet.Describe)];
        foreach (var number in members.Select(NumberOf).Order())
        {
            if (fleet.All.FirstOrDefault(member => member.Number == number) is not { } member)
            {
                fleet.Join(number, list);
            }
            else if (member.MemberId == 0)
            {
                member.Retarget(list);
            }
        }
    }

    private async Task ChangeAsync(IReadOnlyList<Member> members)
    {
        HasStartedAll = false;
        var learner = members.FirstOrDefault(member => member.IsLearner);
        if (learner is not null && Prng.Chance(1, 2))
        {
            await CallAsync(null, node => node.MemberPromoteAsync(new MemberPromoteRequest { ID = learner.ID }, default));
        }
        else if (members.Count < MembersMax && Prng.Chance(members.Count <= 3 ? 2 : 1, 3))
        {
            var request = new MemberAddRequest { IsLearner = Prng.Chance(2, 3), PeerURLs = { Fleet.Describe(++_numbers).PeerUrls } };
            await CallAsync(null, node => node.MemberAddAsync(request, default));
        }
        else if (members.Count > 1)
        {
            var victim = members[Prng.Below(members.Count)];
            await CallAsync(null, node => node.MemberRemoveAsync(new MemberRemoveRequest { ID = victim.ID }, default));
        }
    }
}
