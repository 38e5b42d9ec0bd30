using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Server.Founding;
using Xunit;

namespace Cairn.Tests.Server.Founding;

/// <summary>Every order in which three members can ask, agree, start and lose their disks, two of which may be lost at any moment.</summary>
public sealed class FoundingModelTests
{
    // Two of three: with the third, everything is gone, and nothing is left to be protected.
    private const int WipesMax = 2;

    private static readonly Dictionary<string, Finding> Shown = [];
    private static readonly Dictionary<string, FoundingRecord> Records = [];
    private static readonly Dictionary<string, FoundingDecision> Decisions = [];

    [Fact]
    public void No_order_of_starts_and_wipes_founds_a_cluster_beside_a_disk_that_may_hold_data()
    {
        var first = new State([Empty(10), Empty(20), Empty(30)], "", 0);
        var seen = new HashSet<string> { first.Key };
        var queue = new Queue<State>([first]);
        var whole = 0;
        while (queue.TryDequeue(out var state))
        {
            foreach (var next in Successors(state))
            {
                // A cluster can take writes once two have started in it; while a disk of it exists, no other may get as far.
                Assert.True(next.Clusters().Count(next.MayHoldData) <= 1, next.Key);
                if (seen.Add(next.Key))
                {
                    whole += next.Members.All(member => member.HasStarted) ? 1 : 0;
                    queue.Enqueue(next);
                }
            }
        }

        Assert.True(whole > 0, "nobody ever founds anything");
    }

    [Fact]
    public void Without_a_fault_every_order_of_questions_ends_in_one_cluster()
    {
        for (var seed = 1UL; seed <= 200; seed++)
        {
            var prng = new Prng(seed);
            var state = new State([Empty(10), Empty(20), Empty(30)], "", WipesMax);
            for (var i = 0; i < 500; i++)
            {
                var next = Successors(state).ToList();
                state = next.Count == 0 ? state : next[prng.Below(next.Count)];
            }

            Assert.All(state.Members, member => Assert.Equal((true, "10,20,30"), (member.HasStarted, member.Record)));
        }
    }

    private static Member Empty(ulong incarnation) => new(incarnation, "", false, ImmutableSortedDictionary<int, string>.Empty);

    private static IEnumerable<State> Successors(State state)
    {
        for (var i = 0; i < 3; i++)
        {
            if (state.Wipes < WipesMax)
            {
                yield return state with { Wipes = state.Wipes + 1, Members = state.Members.SetItem(i, Empty(state.Members[i].Incarnation + 1)) };
            }

            if (state.Members[i].HasStarted)
            {
                continue;
            }

            foreach (var j in Enumerable.Range(0, 3).Where(j => j != i && !state.Members[i].Answers.ContainsKey(j)))
            {
                var answers = state.Members[i].Answers.Add(j, Show(j, state.Members[j]));
                yield return state with { Members = state.Members.SetItem(i, state.Members[i] with { Answers = answers }) };
            }

            if (state.Members[i].Answers.Count == 2)
            {
                yield return Decide(state, i);
            }
        }
    }

    private static State Decide(State state, int i)
    {
        var member = state.Members[i];
        FoundingFacts Facts() => Scene.FactsOf(Scene.Names[i], member.Incarnation, [.. member.Answers.Values.Select(key => Shown[key])]) with
        {
            Agreed = member.Record.Length == 0 ? null : Records[member.Record],
        };
        var key = $"{i}/{member.Incarnation}/{member.Record}/{string.Join('+', member.Answers.Values)}";
        var decision = Decisions.TryGetValue(key, out var known) ? known : Decisions[key] = FoundingPlan.Decide(Facts());
        var asked = member with { Answers = ImmutableSortedDictionary<int, string>.Empty };
        return decision switch
        {
            FoundingDecision.Agree agree => state with { Members = state.Members.SetItem(i, asked with { Record = KeyOf(agree.Record) }) },
            FoundingDecision.Start start => state with
            {
                Members = state.Members.SetItem(i, asked with { Record = KeyOf(start.Record), HasStarted = true }),
                History = string.Join(';', state.History.Split(';').Append($"{KeyOf(start.Record)}:{i}").Distinct().Order()),
            },
            _ => state with { Members = state.Members.SetItem(i, asked) },
        };
    }

    private static string Show(int i, Member member)
    {
        var key = $"{i}/{member.Incarnation}/{member.Record}/{member.HasStarted}";
        if (!Shown.ContainsKey(key))
        {
            var name = Scene.Names[i];
            Shown[key] = (member.Record, member.HasStarted) switch
            {
                ("", _) => Scene.Empty(name, member.Incarnation),
                (_, false) => Scene.Agreed(name, member.Incarnation, Records[member.Record]),
                _ => Scene.Member(name, member.Incarnation, Records[member.Record]),
            };
        }

        return key;
    }

    private static string KeyOf(FoundingRecord record)
    {
        var key = string.Join(',', record.Members.OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => member.Incarnation));
        Records[key] = record;
        return key;
    }

    /// <summary>A disk, and what the process on it has heard in this round.</summary>
    private sealed record Member(ulong Incarnation, string Record, bool HasStarted, ImmutableSortedDictionary<int, string> Answers);

    /// <summary>Everything, and who ever started in which cluster.</summary>
    private sealed record State(ImmutableArray<Member> Members, string History, int Wipes)
    {
        public string Key => string.Join(
            '|', Members.Select(member => $"{member.Incarnation}/{member.Record}/{member.HasStarted}/{string.Join('+', member.Answers.Values)}")) + Wipes + History;

        public IEnumerable<string> Clusters() =>
            History.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(start => start.Split(':')[0]).Distinct();

        public bool MayHoldData(string cluster) =>
            History.Split(';').Count(start => start.Split(':')[0] == cluster) >= 2 && Members.Any(member => member.HasStarted && member.Record == cluster);
    }
}
