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
//   refusals     three of four processes that end leave a machine behind that refuses connections, which the others notice within milliseconds, some late, unless it was started again
//   isolated     some members reach each other, and nobody else reaches them
//
// Messages are bytes on the way: nobody shares memory with a peer. Where a disk was copied, two processes bear one id: as in production, each member talks to the one that it heard
// last, else to the one at the address that it knows.

/// <summary>Carries messages between members.</summary>
internal sealed class SimulatedNetwork(World world, Plan plan, Lineage lineage, Prng prng)
{
    private readonly HashSet<(ulong From, ulong To)> _cut = [];
    private readonly Dictionary<(int Place, ulong Member), ulong> _heard = [];
    private HashSet<ulong> _isolated = [];
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
        _isolated = [];
    }

    /// <summary>Cuts some members off from all others.</summary>
    /// <param name="members">Their ids; none to join all again.</param>
    public void Isolate(IEnumerable<ulong> members) => _isolated = [.. members];

    /// <summary>Gives a process its end of the network.</summary>
    public IPeerTransport Connect(SimulatedMember member, Machine machine)
    {
        machine.Died = () => Ended(member);
        return new Transport(this, member, machine);
    }

    /// <summary>Gives a process its way to ask the others.</summary>
    public IPeerCalls ConnectCalls(SimulatedMember member, Machine machine) => new SimulatedCalls(world, this, member, machine);

    /// <summary>Tells whether bytes that leave a member now arrive at another, and when.</summary>
    /// <returns>How long they take; null if they are lost.</returns>
    public TimeSpan? Travel(ulong from, ulong to) =>
        IsCut(from, to) || (!_isPeaceful && prng.Chance(plan.LossPerThousand, 1000)) ? null : Delay();

    private bool IsCut(ulong from, ulong to) => _cut.Contains((from, to)) || _isolated.Contains(from) != _isolated.Contains(to);

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
        var record = lineage.Newest;
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

    private void Send(Message message, Speaker speaker)
    {
        lineage.Of(speaker.ClusterId).Sent(message, speaker.Place);
        if (!_isPeaceful && prng.Chance(plan.LossPerThousand, 1000))
        {
            return;
        }

        var bytes = new byte[MessageWire.Size(message)];
        MessageWire.Write(message, bytes);
        var copies = !_isPeaceful && message.Type != MessageType.Prop && prng.Chance(plan.RepeatPerThousand, 1000) ? 2 : 1;
        for (var i = 0; i < copies; i++)
        {
            world.After(Delay(), world.Outside, () => Deliver(message.From, message.To, bytes, speaker));
        }
    }

    private TimeSpan Delay() => TimeSpan.FromMicroseconds(!_isPeaceful && prng.Chance(plan.LatePerThousand, 1000) ? prng.Between(2000, 2_000_000) : prng.Between(100, 3000));

    private void Deliver(ulong from, ulong to, byte[] bytes, Speaker speaker)
    {
        if (IsCut(from, to) || FindReceiver(to, speaker) is not { Node: { } node } member)
        {
            return;
        }

        if (node.IsRemovedMember(from))
        {
            // As in production: who was removed is not heard, and is told so.
            TellRemoved(from, node.ClusterId);
            return;
        }

        Invariant.Holds(MessageWire.TryRead(bytes, out var message));
        member.Machine!.Run(() =>
        {
            if (node.Receive(message!, speaker.Sight))
            {
                _heard[(member.Number, speaker.Sight.MemberId)] = speaker.Sight.Process.Nonce;
                if (Members.Any(speaking => speaking.MemberId == from && speaking.Node?.Sight.Process == speaker.Sight.Process))
                {
                    lineage.Of(speaker.ClusterId).Heard(node.Sight, message!, speaker.Sight, speaker.Place);
                }
            }
        });
    }

    /// <summary>Finds the process to which a message goes; a process of another cluster takes nothing.</summary>
    private SimulatedMember? FindReceiver(ulong to, Speaker speaker)
    {
        var found = Members.Where(member => member.MemberId == to && member is { IsUp: true, Node: { } node } && node.ClusterId == speaker.ClusterId).ToList();
        return found is [_, _, ..]
            ? found.Find(member => _heard.TryGetValue((speaker.Place, to), out var nonce) && member.Node!.Sight.Process.Nonce == nonce) // They were filtered.
                ?? found.Find(member => speaker.Addresses(to).Contains(member.PeerUrl))
            : found.FirstOrDefault();
    }

    /// <summary>In production every member dials the others for as long as it has no streams to them; there, too, who was removed is told so. Streams carry something now and then, so that
    /// members which have nothing to say to each other know that the other one is alive.</summary>
    private async Task DialAsync()
    {
        while (true)
        {
            await DelayAsync(1000, 1000);
            foreach (var speaking in Members.Where(member => member is { IsUp: true, MemberId: not 0 }))
            {
                var reached = Members.Where(other => other != speaking && other is { IsUp: true, Node: { } node } && node.ClusterId == speaking.ClusterId && !IsCut(speaking.MemberId, other.MemberId));
                if (reached.Any(other => other.Node!.IsRemovedMember(speaking.MemberId))) // They were filtered.
                {
                    TellRemoved(speaking.MemberId, speaking.ClusterId);
                }
                else if (plan.KeepsImages && speaking.Node?.Sight is { } sight)
                {
                    foreach (var other in reached)
                    {
                        var node = other.Node!; // They were filtered.
                        other.Machine!.Run(() => node.Hears(sight.MemberId, sight));
                    }
                }
            }
        }
    }

    private void TellRemoved(ulong id, ulong cluster)
    {
        foreach (var removed in Members.Where(member => member.MemberId == id && member.ClusterId == cluster && member.IsUp))
        {
            if (removed.Node is { } node)
            {
                removed.Machine!.Run(node.LearnRemoval);
            }
        }
    }

    private Task DelayAsync(long least, long most) => Task.Delay(TimeSpan.FromMilliseconds(prng.Between(least, most)), world.Outside.Time);

    /// <summary>Lets the others notice that a process has ended, as far as they reach its machine, and no other process stands where they dial.</summary>
    private void Ended(SimulatedMember ended)
    {
        var id = ended.MemberId;
        if (id == 0 || Members.Any(other => other != ended && other.MemberId == id && other.IsUp) || !prng.Chance(3, 4))
        {
            return;
        }

        foreach (var other in Members.Where(other => other != ended))
        {
            world.After(Delay() + Delay(), world.Outside, () =>
            {
                if (!ended.IsUp && other is { IsUp: true, Node: { } node } && node.ClusterId == ended.ClusterId && !IsCut(other.MemberId, id) && !IsCut(id, other.MemberId))
                {
                    other.Machine!.Run(() => node.ReportEnded(id));
                }
            });
        }
    }

    private sealed class Transport(SimulatedNetwork network, SimulatedMember member, Machine machine) : IPeerTransport
    {
        private Node? _node;
        private IReadOnlyList<PeerAddress> _peers = [];

        public IReadOnlyList<string> Addresses(ulong id) => _peers.FirstOrDefault(peer => peer.MemberId == id)?.PeerUrls ?? [];

        public void Attach(Node node)
        {
            _node = node;
            member.OnOpened(machine, node);
        }

        public void Send(Message message)
        {
            if (machine.IsAlive)
            {
                network.Send(network.Spoil(message), new Speaker(_node!.Sight, _node.ClusterId, member.Number, this)); // Attached before anything is sent.
            }
        }

        public void SetPeers(IReadOnlyList<PeerAddress> peers) => _peers = peers;
    }

    /// <summary>A process that says something.</summary>
    private sealed record Speaker(PeerSight Sight, ulong ClusterId, int Place, Transport Transport)
    {
        public IReadOnlyList<string> Addresses(ulong id) => Transport.Addresses(id);
    }
}
