using Cairn.Raft;

namespace Cairn.Tests.Raft;

/// <summary>Members that deliver to each other at once, unless cut off.</summary>
internal sealed class Net
{
    private readonly SortedDictionary<ulong, Member> _members = [];

    public Net(int count, Func<ulong, RaftConfig, RaftConfig>? adjust = null)
    {
        for (var id = 1UL; id <= (ulong)count; id++)
        {
            var config = Member.Config(count) with { Id = id, Seed = id };
            _members[id] = new Member(adjust is null ? config : adjust(id, config));
        }
    }

    public Net(params Member[] members)
    {
        foreach (var member in members)
        {
            _members[member.Core.Id] = member;
        }
    }

    public HashSet<ulong> CutOff { get; } = [];

    /// <summary>Whether a message is lost, beside those of who is cut off.</summary>
    public Func<Message, bool> Loses { get; set; } = _ => false;

    public Member this[ulong id] => _members[id];

    public IEnumerable<Member> Members => _members.Values;

    public Net Elect(ulong id)
    {
        _members[id].Raft.Campaign();
        return Deliver();
    }

    /// <summary>Delivers until nobody has anything to say.</summary>
    public Net Deliver()
    {
        for (var pending = Collect(); pending.Count > 0; pending = Collect())
        {
            foreach (var message in pending)
            {
                if (!CutOff.Contains(message.From) && !CutOff.Contains(message.To) && !Loses(message) && _members.TryGetValue(message.To, out var to))
                {
                    to.Raft.Step(message);
                }
            }
        }

        return this;
    }

    private List<Message> Collect() => [.. _members.Values.SelectMany(member => member.TakeSent())];
}
