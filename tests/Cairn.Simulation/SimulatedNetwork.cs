using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation;

// The faults that this network injects between members, all decided by the seed:
//
//   lost, late   two in a hundred messages are lost; each takes its own time, so that they overtake each other; a few take up to two seconds
//   repeated     one in a hundred arrives twice, but for proposals: Raft cannot tell a repeated one from a new one, and no stream of members repeats any
//   partitions   for up to five seconds some links are cut, each direction by itself: one member off, one way only, or any pattern
//
// Messages are bytes on the way: nobody shares memory with a peer.

/// <summary>Carries messages between members.</summary>
internal sealed class SimulatedNetwork(World world, Plan plan, ClusterRecord record, Prng prng)
{
    private readonly HashSet<(ulong From, ulong To)> _cut = [];
    private bool _isPeaceful;

    public IReadOnlyList<SimulatedMember> Members { get; set; } = [];

    /// <summary>Begins to cut links.</summary>
    public void Start()
    {
        if (plan.ChangesMembers || plan.KeepsImages)
        {
            world.Outside.Run(() => _ = DialAsync());
        }

        if (plan.CutsLinks)
        {
            world.Outside.Run(() => _ = CutLinksAsync());
        }
    }

    /// <summary>From now on, everything arrives, soon.</summary>
    public void MakePeace()
    {
        _isPeaceful = true;
        _cut.Clear();
    }

    /// <summary>Gives a process its end of the network.</summary>
    public IPeerTransport Connect(SimulatedMember member, Machine machine) => new Transport(this, member, machine);

    /// <summary>Gives a process its way to ask the others.</summary>
    public IPeerCalls ConnectCalls(SimulatedMember member, Machine machine) => new SimulatedCalls(world, this, member, machine);

    /// <summary>Tells whether bytes that leave a member now arrive at another, and when.</summary>
    /// <returns>How long they take; null if they are lost.</returns>
    public TimeSpan? Travel(ulong from, ulong to) =>
        _cut.Contains((from, to)) || (!_isPeaceful && prng.Chance(plan.LossPerThousand, 1000)) ? null : Delay();

    private async Task CutLinksAsync()
    {
        while (!_isPeaceful)
        {
            await DelayAsync(100, 6000);
            Cut();
            await DelayAsync(100, 5000);
            _cut.Clear();
        }
    }

    private void Cut()
    {
        var ids = Members.Select(member => member.MemberId).Where(id => id != 0).ToList();
        if (_isPeaceful || ids.Count < 2)
        {
            return;
        }

        var victim = ids[prng.Below(ids.Count)];
        var kind = prng.Below(4);
        foreach (var from in ids)
        {
            foreach (var to in ids.Where(to => to != from))
            {
                var isCut = kind switch
                {
                    0 => from == victim || to == victim,
                    1 => from == victim,
                    2 => to == victim,
                    _ => prng.Chance(1, 2),
                };
                if (isCut)
                {
                    _cut.Add((from, to));
                }
            }
        }
    }

    /// <summary>Plants a bug, if that is asked for.</summary>
    private Message Spoil(Message message)
    {
        switch (plan.Plant)
        {
            case Plant.VoteTwice when message.Type == MessageType.VoteResp:
                return message with { Reject = false };
            case Plant.CommitByCounting when message.Type is MessageType.App or MessageType.Heartbeat:
                return message with { Commit = Math.Max(message.Commit, CountDurable(message)) };
            default:
                return message;
        }
    }

    /// <summary>The last entry of a leader that a quorum has, and the addressee too, whatever its term.</summary>
    private ulong CountDurable(Message message)
    {
        if (!record.Logs.TryGetValue(message.From, out var leader) || !record.Logs.TryGetValue(message.To, out var follower))
        {
            return 0;
        }

        var index = Math.Min(leader.LastIndex, message.Type == MessageType.App ? message.Index + (ulong)message.Entries.Length : follower.LastIndex);
        while (index > 0 && record.Logs.Values.Count(log => log.TermOf(index) == leader.TermOf(index)) <= Members.Count / 2)
        {
            index--;
        }

        return message.Type == MessageType.App || follower.TermOf(index) == leader.TermOf(index) ? index : 0;
    }

    private void Send(Message message, PeerSight sender)
    {
        record.Sent(message);
        if (!_isPeaceful && prng.Chance(plan.LossPerThousand, 1000))
        {
            return;
        }

        var bytes = new byte[MessageWire.Size(message)];
        MessageWire.Write(message, bytes);
        var copies = !_isPeaceful && message.Type != MessageType.Prop && prng.Chance(plan.RepeatPerThousand, 1000) ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            world.After(Delay(), world.Outside, () => Deliver(message.From, message.To, bytes, sender));
        }
    }

    private TimeSpan Delay() => TimeSpan.FromMicroseconds(!_isPeaceful && prng.Chance(plan.LatePerThousand, 1000) ? prng.Between(2000, 2_000_000) : prng.Between(100, 3000));

    private void Deliver(ulong from, ulong to, byte[] bytes, PeerSight sender)
    {
        var member = Members.FirstOrDefault(member => member.MemberId == to);
        if (_cut.Contains((from, to)) || member is not { IsUp: true, Node: { } node })
        {
            return;
        }

        if (node.IsRemovedMember(from))
        {
            // As in production: who was removed is not heard, and is told so.
            TellRemoved(from);
            return;
        }

        Invariant.Holds(MessageWire.TryRead(bytes, out var message));
        member.Machine!.Run(() =>
        {
            if (node.Receive(message!, sender) && Members.Any(speaking => speaking.MemberId == from && speaking.Node?.Sight.Process == sender.Process))
            {
                record.Heard(node.Sight, message!, sender);
            }
        });
    }

    /// <summary>In production every member dials the others for as long as it has no streams to them; there, too, who was removed is told so.</summary>
    private async Task DialAsync()
    {
        while (true)
        {
            await DelayAsync(1000, 1000);
            foreach (var member in Members.Where(member => member.IsUp && member.MemberId != 0))
            {
                if (Members.Any(other => other is { IsUp: true, Node: { } node } && node.IsRemovedMember(member.MemberId) && !_cut.Contains((member.MemberId, other.MemberId))))
                {
                    TellRemoved(member.MemberId);
                }
            }
        }
    }

    private void TellRemoved(ulong id)
    {
        if (Members.FirstOrDefault(member => member.MemberId == id) is { IsUp: true, Node: { } node } removed)
        {
            removed.Machine!.Run(node.LearnRemoval);
        }
    }

    private Task DelayAsync(long least, long most) => Task.Delay(TimeSpan.FromMilliseconds(prng.Between(least, most)), world.Outside.Time);

    private sealed class Transport(SimulatedNetwork network, SimulatedMember member, Machine machine) : IPeerTransport
    {
        private Node? _node;

        public void Attach(Node node)
        {
            _node = node;
            member.OnOpened(machine, node);
        }

        public void Send(Message message)
        {
            if (machine.IsAlive)
            {
                network.Send(network.Spoil(message), _node!.Sight); // Attached before anything is sent.
            }
        }

        public void SetPeers(IReadOnlyList<PeerAddress> peers)
        {
            // Ids are addresses here.
        }
    }
}
