using System.Collections.Immutable;
using Cairn.Raft;

namespace Cairn.Tests.Raft.Safety;

/// <summary>Three to seven members under faults, one random step after the other, all from one seed; the ledger looks on.</summary>
/// <remarks>
/// Faults: messages lost, reordered, duplicated; partitions; crashes between any two steps, with everything lost that was not durable; slow disks and slow
/// appliers; members added, promoted, demoted, removed; snapshots and compaction at any time.
/// </remarks>
internal sealed class SafetyCluster
{
    private readonly SafetyOptions _options;
    private readonly Prng _prng;
    private readonly SafetyLedger _ledger = new();
    private readonly List<SafetyNode> _nodes = [];
    private readonly List<Message> _network = [];
    private readonly HashSet<ulong> _cutOff = [];
    private readonly HashSet<ulong> _stalledDisks = [];
    private ulong _nextRead = 1;
    private byte _nextData;

    public SafetyCluster(SafetyOptions options)
    {
        _options = options;
        _prng = new Prng(options.Seed);
        var count = 3 + _prng.Below(5);
        var voters = Math.Max(3, count - _prng.Below(3));
        var confState = new ConfState { Voters = [.. Enumerable.Range(1, voters).Select(id => (ulong)id)] };
        var founding = new Snapshot(new byte[8], new SnapshotMetadata(confState, 1, 1));
        var config = Config();
        for (var id = 1UL; id <= (ulong)count; id++)
        {
            var isFounder = id <= (ulong)voters;
            _nodes.Add(new SafetyNode(options, _ledger, config with { Id = id, Seed = options.Seed + id }, _prng, isFounder ? founding : null));
        }
    }

    public SafetyLedger Ledger => _ledger;

    /// <summary>Takes the random steps, then ends all faults and checks that the cluster gets on.</summary>
    public void Run()
    {
        for (var step = 0; step < _options.Steps; step++)
        {
            Step();
        }

        if (_options.Fault == PlantedFault.None)
        {
            Recover();
        }
    }

    private RaftConfig Config()
    {
        var checkQuorum = _prng.Chance(1, 2);
        return new RaftConfig
        {
            Id = 1,
            Log = new MemoryLog(),
            Seed = 0,
            ElectionTicks = 4,
            HeartbeatTicks = 1,
            MessageBytesMax = _prng.Chance(1, 2) ? 40UL : ulong.MaxValue,
            InflightMessagesMax = 1 + _prng.Below(4),
            ApplyingBytesMax = _prng.Chance(1, 2) ? 60UL : ulong.MaxValue,
            UncommittedBytesMax = _prng.Chance(1, 2) ? 100UL : 0,
            CheckQuorum = checkQuorum,
            PreVote = _prng.Chance(1, 2),
            StepDownOnRemoval = _prng.Chance(1, 2),
            AsyncStorageWrites = _options.Mode != StorageMode.Synchronous,
            ApplyUnstable = _options.Mode == StorageMode.ApplyUnstable,
            ApplyUnstableBytesMax = 20,
        };
    }

    private void Step()
    {
        var node = _nodes[_prng.Below(_nodes.Count)];
        switch (_prng.Below(1000))
        {
            case < 200:
                node.Raft.Tick();
                break;
            case < 520:
                Deliver();
                break;
            case < 690:
                node.HandleReady(_network.Add);
                break;
            case < 800:
                RunDisk(node);
                break;
            case < 890:
                node.RunApplyWorker(_network.Add);
                break;
            case < 950:
                Propose(node);
                break;
            case < 960:
                node.Restart();
                break;
            case < 968:
                node.TakeSnapshot();
                break;
            case < 976:
                ChangeMembership(node);
                break;
            case < 986:
                AskRead(node);
                break;
            default:
                Disturb(node);
                break;
        }

        _ledger.Check(node);
    }

    private void RunDisk(SafetyNode node)
    {
        if (!_stalledDisks.Contains(node.Id))
        {
            node.RunAppendWorker(_network.Add);
        }
    }

    private void Deliver()
    {
        if (_network.Count == 0)
        {
            return;
        }

        // Mostly in order, at times not.
        var place = _prng.Chance(2, 3) ? _prng.Below(Math.Min(3, _network.Count)) : _prng.Below(_network.Count);
        var message = _network[place];
        if (!_prng.Chance(1, 20))
        {
            _network.RemoveAt(place);
        }

        var isLost = message.From != message.To && (_cutOff.Contains(message.From) != _cutOff.Contains(message.To) || _prng.Chance(1, 15));
        Hand(message, isLost);
    }

    private void Hand(Message message, bool isLost)
    {
        if (message.Type == MessageType.Snap && _nodes[(int)message.From - 1] is var sender && _prng.Chance(1, 2))
        {
            sender.Raft.ReportSnapshot(message.To, failed: isLost);
            _ledger.Check(sender);
        }

        if (!isLost)
        {
            var receiver = _nodes[(int)message.To - 1];
            var error = receiver.Raft.Step(message);
            if (error is RaftError.LogLost or RaftError.InvalidMessage or RaftError.LocalMessage)
            {
                throw new SafetyViolationException($"{receiver.Id} refused {message}: {error}");
            }

            _ledger.Check(receiver);
        }
    }

    private void Propose(SafetyNode node)
    {
        if (_prng.Chance(1, 3))
        {
            node = Leader() ?? node;
        }

        var batch = new ReadOnlyMemory<byte>[1 + _prng.Below(3)];
        for (var i = 0; i < batch.Length; i++)
        {
            var data = new byte[1 + _prng.Below(8)];
            data[0] = _nextData++;
            batch[i] = data;
        }

        node.Raft.Propose(batch);
        _ledger.Check(node);
    }

    private void ChangeMembership(SafetyNode node)
    {
        node = Leader() ?? node;
        var status = node.Raft.ConfState;
        var id = (ulong)_prng.Below(_nodes.Count) + 1;
        var type = (ConfChangeType)_prng.Below(4);
        if (type == ConfChangeType.RemoveNode && status.Voters.Length <= 2)
        {
            type = ConfChangeType.AddNode;
        }

        if (_prng.Chance(1, 2))
        {
            node.Raft.ProposeConfChange(new ConfChange(0, type, id));
        }
        else
        {
            var other = new ConfChangeSingle(_prng.Chance(1, 2) ? ConfChangeType.AddNode : ConfChangeType.AddLearnerNode, (id % (ulong)_nodes.Count) + 1);
            node.Raft.ProposeConfChange(new ConfChangeV2
            {
                Transition = (ConfChangeTransition)_prng.Below(3),
                Changes = status.VotersOutgoing.IsEmpty || _prng.Chance(1, 4) ? [new ConfChangeSingle(type, id), other] : ImmutableArray<ConfChangeSingle>.Empty,
            });
        }

        _ledger.Check(node);
    }

    private void AskRead(SafetyNode node)
    {
        var context = _nextRead++;
        _ledger.ReadAsked(context);
        node.Raft.ReadIndex(BitConverter.GetBytes(context));
    }

    private void Disturb(SafetyNode node)
    {
        switch (_prng.Below(6))
        {
            case 0:
                _cutOff.Clear();
                foreach (var other in _nodes.Where(_ => _prng.Chance(1, 3)))
                {
                    _cutOff.Add(other.Id);
                }

                break;
            case 1:
                _cutOff.Clear();
                _stalledDisks.Clear();
                break;
            case 2:
                _stalledDisks.Add((Leader() ?? node).Id);
                break;
            case 3:
                node.Raft.TransferLeader((ulong)_prng.Below(_nodes.Count) + 1);
                break;
            case 4:
                node.Raft.ForgetLeader();
                break;
            default:
                node.Raft.ReportUnreachable((ulong)_prng.Below(_nodes.Count) + 1);
                break;
        }
    }

    private SafetyNode? Leader() => _nodes.Where(node => node.Raft.Core.IsLeader).MaxBy(node => node.Raft.Core.Term);

    /// <summary>Without faults, a leader must be found and an entry must reach every member of its configuration.</summary>
    private void Recover()
    {
        _cutOff.Clear();
        _stalledDisks.Clear();
        for (var round = 0; round < 400; round++)
        {
            RunRound();
            if (round % 20 == 19 && Leader() is { } leader && IsSettled(leader))
            {
                return;
            }
        }

        var states = string.Join(", ", _nodes.Select(node => $"{node.Id}: {node.Raft.BasicStatus} applied {node.Applied} {node.Raft.Core.Tracker.Config}"));
        throw new SafetyViolationException($"no progress without faults: {states}; {Leader()?.Raft.Core.Tracker.Peers}");
    }

    private bool IsSettled(SafetyNode leader)
    {
        var core = leader.Raft.Core;
        if (leader.Raft.Propose(new byte[1]) != RaftError.None)
        {
            return false;
        }

        var index = leader.Raft.LastIndex;
        for (var round = 0; round < 5; round++)
        {
            RunRound();
        }

        var state = leader.Raft.ConfState;
        return state.VotersOutgoing.IsEmpty
            && core.Log.Applied >= index
            && state.Voters.Concat(state.Learners).All(id => _nodes[(int)id - 1].Applied >= index);
    }

    private void RunRound()
    {
        foreach (var node in _nodes)
        {
            node.Raft.Tick();
            _ledger.Check(node);
        }

        for (var pass = 0; pass < 50 && (_network.Count > 0 || _nodes.Exists(node => node.HasWork)); pass++)
        {
            RunPass();
        }

        if (Leader() is { } leader)
        {
            Encourage(leader);
        }
    }

    private void RunPass()
    {
        foreach (var node in _nodes)
        {
            node.HandleReady(_network.Add);
            node.RunAppendWorker(_network.Add);
            node.RunApplyWorker(_network.Add);
            _ledger.Check(node);
        }

        var arriving = _network.ToList();
        _network.Clear();
        foreach (var message in arriving)
        {
            Hand(message, isLost: false);
        }
    }

    /// <summary>What an owner does: provides fresh snapshots and reports lost ones, hands over when removed, ends a joint configuration that was entered explicitly.</summary>
    private void Encourage(SafetyNode leader)
    {
        leader.TakeSnapshot();
        foreach (var peer in leader.Raft.Status().Peers.Where(peer => peer.PendingSnapshot > 0))
        {
            leader.Raft.ReportSnapshot(peer.Id, failed: true);
        }

        if (leader.Raft.ConfState is { Voters: var voters } && !voters.Contains(leader.Id))
        {
            leader.Raft.TransferLeader(voters[0]);
        }

        if (leader.Raft.ConfState is { VotersOutgoing.IsEmpty: false, AutoLeave: false })
        {
            leader.Raft.ProposeConfChange(new ConfChangeV2());
        }

        _ledger.Check(leader);
    }
}
