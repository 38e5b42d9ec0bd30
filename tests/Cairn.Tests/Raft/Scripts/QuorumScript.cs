using System.Globalization;
using System.Text;
using Cairn.Raft.Quorum;
using Xunit;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>Runs scripts of quorum decisions: committed, vote.</summary>
internal static class QuorumScript
{
    public static string Run(ScriptDirective directive)
    {
        var incoming = Ids(directive, "cfg");
        var joint = directive.Arguments.FirstOrDefault(argument => argument.Key == "cfgj");
        var outgoing = joint is null || joint.Values is ["zero"] ? [] : Ids(directive, "cfgj");
        var quorum = new JointQuorum(MemberSet.Of([.. incoming]), MemberSet.Of([.. outgoing]));
        var voters = incoming.Concat(outgoing).Distinct().ToList();
        var key = directive.Command == "vote" ? "votes" : "idx";
        var values = directive.Arguments.FirstOrDefault(argument => argument.Key == key)?.Values ?? [];
        if (values.Count != voters.Count)
        {
            return $"error: mismatched input (explicit or _) for voters {quorum.All}: {string.Join(' ', values)}";
        }

        return directive.Command switch
        {
            "vote" => Vote(quorum, voters, values),
            "committed" => Committed(quorum, voters, values, joint is not null),
            _ => throw new FormatException($"unknown command {directive.Command}"),
        };
    }

    private static List<ulong> Ids(ScriptDirective directive, string key) =>
        [.. directive.Arguments.Where(argument => argument.Key == key).SelectMany(argument => argument.Values).Select(Number)];

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);

    private static string Vote(JointQuorum quorum, List<ulong> voters, IReadOnlyList<string> values)
    {
        var ballot = new Ballot();
        for (var i = 0; i < voters.Count; i++)
        {
            if (values[i] != "_")
            {
                ballot.Record(voters[i], values[i] == "y");
            }
        }

        Assert.Equal(quorum.Tally(ballot), new JointQuorum(quorum.Outgoing, quorum.Incoming).Tally(ballot));
        return $"Vote{quorum.Tally(ballot)}";
    }

    private static string Committed(JointQuorum quorum, List<ulong> voters, IReadOnlyList<string> values, bool isJoint)
    {
        var acked = new Acked();
        for (var i = 0; i < voters.Count; i++)
        {
            if (values[i] != "_")
            {
                acked[voters[i]] = Number(values[i]);
            }
        }

        var index = quorum.CommittedIndex(acked);
        Assert.Equal(index, new JointQuorum(quorum.Outgoing, quorum.Incoming).CommittedIndex(acked));
        if (!isJoint)
        {
            AssertSameInOtherWays(quorum.Incoming, acked, index);
        }

        var text = index == ulong.MaxValue ? "∞" : index.ToString(CultureInfo.InvariantCulture);
        return Chart(quorum.All, acked) + text;
    }

    private static void AssertSameInOtherWays(MemberSet voters, Acked acked, ulong index)
    {
        // The highest index that more than half of the voters have, counted one by one.
        var counted = voters.Ids.Select(id => acked.GetValueOrDefault(id))
            .Where(candidate => voters.Ids.Count(id => acked.GetValueOrDefault(id) >= candidate) > voters.Count / 2)
            .DefaultIfEmpty(ulong.MaxValue)
            .Max();
        Assert.Equal(index, counted);
        Assert.Equal(index, new JointQuorum(voters, voters).CommittedIndex(acked));
        foreach (var id in voters.Ids.Where(id => acked.GetValueOrDefault(id) is > 0 and var at && at < index))
        {
            // Whoever is below the result may fall further without changing it.
            Assert.Equal(index, Majority.CommittedIndex(voters, new Acked(acked) { [id] = acked[id] - 1 }));
            Assert.Equal(index, Majority.CommittedIndex(voters, new Acked(acked) { [id] = 0 }));
        }
    }

    /// <summary>A bar for each voter: the further its log, the longer; as long as another's, as far.</summary>
    private static string Chart(MemberSet voters, Acked acked)
    {
        if (voters.IsEmpty)
        {
            return "<empty majority quorum>";
        }

        var count = voters.Count;
        var order = voters.Ids.OrderBy(id => acked.GetValueOrDefault(id)).ThenBy(id => id).ToList();
        var text = new StringBuilder(new string(' ', count) + "    idx\n");
        foreach (var id in voters.Ids)
        {
            var place = order.IndexOf(id);
            var isAbovePrevious = place > 0 && acked.GetValueOrDefault(order[place - 1]) < acked.GetValueOrDefault(id);
            var bar = isAbovePrevious ? place : 0;
            text.Append(acked.ContainsKey(id) ? new string('x', bar) + ">" + new string(' ', count - bar) : "?" + new string(' ', count));
            text.Append(CultureInfo.InvariantCulture, $" {acked.GetValueOrDefault(id),5}    (id={id})\n");
        }

        return text.ToString();
    }

    private sealed class Acked : Dictionary<ulong, ulong>, IAckedIndexes
    {
        public Acked()
        {
        }

        public Acked(Acked other)
            : base(other)
        {
        }

        public bool TryGetAckedIndex(ulong voter, out ulong index) => TryGetValue(voter, out index);
    }
}
