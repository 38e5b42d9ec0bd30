using Cairn.Raft;
using Cairn.Server;
using Cairn.Server.Auth;
using Cairn.Server.Peers;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;
using Cairn.Simulation.Disks;
using Cairn.Tests.Server.Transfer;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Server.Simulated;

/// <summary>Some members in one world: a disk each, a network that delivers in order after a while, unless it is cut.</summary>
public sealed class ClusterWorld
{
    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(1);

    private readonly Dictionary<ulong, Node> _byId = [];
    private readonly Dictionary<int, Calls> _calls = [];
    private readonly Dictionary<string, Reception> _receptions = [];
    private readonly HashSet<ulong> _cut = [];
    private readonly AuthOptions _auth;
    private ulong _starts;

    private ClusterWorld(int members, AuthOptions auth)
    {
        _auth = auth;
        Disks = [.. Enumerable.Range(0, members).Select(i => new SimulatedDisk((ulong)i + 1, Time))];
        Nodes = new Node?[members];
    }

    /// <summary>Time of the world.</summary>
    public SimulatedTime Time { get; } = new();

    /// <summary>What members are told beside what makes them a cluster.</summary>
    public NodeOptions Options { get; init; } = new() { QuotaBytes = -1 };

    /// <summary>The disks.</summary>
    public SimulatedDisk[] Disks { get; }

    /// <summary>Tokens of members that are told another one than the rest.</summary>
    public Dictionary<int, string> Tokens { get; } = [];

    /// <summary>Members that nobody can ask.</summary>
    public HashSet<int> Unreachable { get; } = [];

    /// <summary>Members that can be asked and do not answer, as one that stands still.</summary>
    public HashSet<int> Silent { get; } = [];

    /// <summary>Members that are told of nobody but themselves.</summary>
    public HashSet<int> Alone { get; } = [];

    /// <summary>Members that are started as spare learners.</summary>
    public HashSet<int> Standbys { get; } = [];

    /// <summary>Whether survivors of a lost majority go on by themselves, two seconds after they lost their leader.</summary>
    public RecoverMode Recover { get; set; } = RecoverMode.Propose;

    /// <summary>Whether members that are started from now on compare their hash with those of others before they serve.</summary>
    public bool ChecksHashAtStart { get; set; }

    /// <summary>The running nodes; null where one is stopped.</summary>
    public Node?[] Nodes { get; }

    /// <summary>Runs a test in a new world in which all members were started.</summary>
    public static void Run(int members, Func<ClusterWorld, Task> test, AuthOptions? auth = null, long catchUpEntries = 100_000, NodeOptions? options = null)
    {
        var world = new ClusterWorld(members, auth ?? new AuthOptions()) { CatchUpEntries = catchUpEntries, Options = options ?? new NodeOptions { QuotaBytes = -1 } };
        SingleThread.Run(world.Time, async () =>
        {
            foreach (var start in Enumerable.Range(0, members).Select(world.StartAsync).ToList())
            {
                await start;
            }

            await world.UntilAsync(() => world.Nodes.All(node => node!.Ready.IsCompleted));
            await test(world);
            for (var i = 0; i < members; i++)
            {
                await world.StopAsync(i);
            }
        });
    }

    /// <summary>Runs a test in a new world of three members that are not started, and keep ten entries for those that are behind.</summary>
    public static void Run(DiskImages images, Func<ClusterWorld, Task> test)
    {
        var world = new ClusterWorld(3, new AuthOptions()) { CatchUpEntries = 10 };
        images.Restore(world.Disks);
        SingleThread.Run(world.Time, async () =>
        {
            await test(world);
            for (var i = 0; i < world.Nodes.Length; i++)
            {
                await world.StopAsync(i);
            }
        });
    }

    /// <summary>Starts a member; it may not be ready when this returns.</summary>
    public async Task StartAsync(int index)
    {
        var options = Options with
        {
            Name = $"m{index}",
            PeerUrls = [$"http://m{index}:2380"],
            ClientUrls = [$"http://m{index}:2379"],
            InitialCluster = [.. Enumerable.Range(0, Disks.Length).Where(i => i == index || !Alone.Contains(index)).Select(i => new InitialMember(Options.LearnsNames && i != index ? $"m{i}:2380" : $"m{i}", [$"http://m{i}:2380"]))],
            CatchUpEntries = CatchUpEntries,
            SnapshotEntries = 500,
            Auth = _auth,
            ChecksHashAtStart = ChecksHashAtStart,
            ClusterToken = Tokens.GetValueOrDefault(index, "etcd-cluster"),
            IsStandby = Standbys.Contains(index),
            HealRecover = Recover,
            HealRecoverAfter = TimeSpan.FromSeconds(2),
        };
        var reception = new Reception();
        _receptions[options.PeerUrls[0]] = reception;
        var calls = _calls[index] = new Calls(this, index);
        var node = await Node.StartAsync(options, new NodeWorld
        {
            Disk = Disks[index],
            Time = Time,
            Seed = 100 + _starts++,
            LoggerFactory = NullLoggerFactory.Instance,
            Transport = new Transport(this, calls),
            Calls = calls,
            TransferChunkBytes = 1000,
            Reception = reception,
            WalOptions = new WalOptions { SegmentBytes = 64 * 1024 },
            RevisionLogOptions = new RevisionLogOptions { SegmentBytes = 32 * 1024, ChunkBytes = 4096, TailBytes = 64 * 1024 },
        });
        Nodes[index] = node;
        if (!_byId.TryGetValue(node.MemberId, out var other) || !Nodes.Contains(other))
        {
            // The streams to a process that lives stay with it: a copy of its disk gets none.
            _byId[node.MemberId] = node;
        }
    }

    /// <summary>Runs a member as a process does: if it ends so that its directory is opened again, that is done.</summary>
    /// <returns>Completes when it is stopped.</returns>
    public async Task LiveAsync(int index)
    {
        await StartAsync(index);
        while (await Nodes[index]!.Stopped is MemberRemovedException { MayReturn: true } or ReopenException)
        {
            await StopAsync(index);
            await StartAsync(index);
        }
    }

    /// <summary>Stops a member.</summary>
    public async Task StopAsync(int index)
    {
        if (Nodes[index] is { } node)
        {
            Nodes[index] = null;
            _receptions.Remove($"http://m{index}:2380");
            var id = node.Look().MemberId;
            var wasHeard = _byId.GetValueOrDefault(id) == node && _byId.Remove(id);
            await node.DisposeAsync();
            foreach (var other in Nodes.Where(_ => wasHeard))
            {
                // As the system closes the connections of a process that ends.
                other?.ReportLost(id);
            }
        }
    }

    /// <summary>Takes the power away from a member: what its disk had not synced is lost.</summary>
    public void CutPower(int index)
    {
        var id = Nodes[index]!.MemberId;
        Nodes[index] = null;
        _receptions.Remove($"http://m{index}:2380");
        _byId.Remove(id);
        _calls[index].IsOff = true;
        Disks[index].CutPower(CrashMode.Lose);
        foreach (var other in Nodes)
        {
            other?.ReportLost(id);
        }
    }

    /// <summary>Takes the disk of a member that is stopped, and gives it an empty one.</summary>
    public void Wipe(int index)
    {
        Assert.Null(Nodes[index]);
        Disks[index] = new SimulatedDisk(1000 + _starts, Time);
    }

    /// <summary>Says what a member without a node waits for.</summary>
    public string WaitingOf(int index) => _receptions.GetValueOrDefault($"http://m{index}:2380")?.Waiting ?? "";

    /// <summary>Cuts a member off, or joins it again.</summary>
    public void Cut(int index, bool isCut)
    {
        var id = Nodes[index]!.Look().MemberId;
        _ = isCut ? _cut.Add(id) : _cut.Remove(id);
    }

    private bool IsCut(int index) => Nodes[index] is { } node && _cut.Contains(node.Look().MemberId);

    /// <summary>How often members asked each other at a path.</summary>
    public Dictionary<string, int> Asked { get; } = [];

    /// <summary>Entries that members keep for those that are behind.</summary>
    public long CatchUpEntries { get; set; } = 100_000;

    /// <summary>Who answers questions at the address of a member, by its index, where that is another one: a name leads to the wrong machine. Messages of Raft go by ids.</summary>
    public Dictionary<int, int> Misled { get; } = [];

    /// <summary>Changes answers to questions between members; asked with the question and the answer.</summary>
    public Func<PeerCall, PeerAnswer, PeerAnswer> Tamper { get; set; } = static (_, answer) => answer;

    /// <summary>What happens while the answer to a question between members is under way.</summary>
    public Func<PeerCall, Task> BeforeAnswer { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Finds the leader that a majority follows.</summary>
    /// <returns>Its index; -1 while there is none.</returns>
    public int FindLeader()
    {
        for (var i = 0; i < Nodes.Length; i++)
        {
            if (Nodes[i]?.Look() is { IsLeader: true } status
                && Nodes.Count(node => node is not null && node.Look() is var other && other.LeaderId == status.MemberId && other.Term == status.Term)
                    > Nodes.Length / 2)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Lets time pass.</summary>
    public Task PassAsync(TimeSpan span) => Task.Delay(span, Time);

    /// <summary>Waits for something, a minute at most.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 6000, "a minute went by in vain");
            await Task.Delay(TimeSpan.FromMilliseconds(10), Time);
        }
    }

    /// <summary>Messages that do not arrive before they are brought.</summary>
    public Predicate<Message> Holds { get; set; } = static _ => false;

    /// <summary>Those that were held, in the order in which they came.</summary>
    public List<Message> Held { get; } = [];

    /// <summary>Brings a message from a running member to another, now.</summary>
    public void Bring(Message message) => _byId[message.To].Receive(message, _byId[message.From].Sight);

    private sealed class Calls(ClusterWorld world, int asker) : IPeerCalls
    {
        /// <summary>Whether its machine has no power: nobody hears what it asks.</summary>
        public bool IsOff { get; set; }

        public async ValueTask<PeerAnswer> AskAsync(string url, PeerCall call, CancellationToken cancelled)
        {
            await Task.Delay(Latency, world.Time, cancelled);

            // As the peer port does.
            Assert.False(call.Body is null && call.Parts is null && call.Path.StartsWith("/cairn/", StringComparison.Ordinal), $"{call.Path} is asked by GET, and not found");
            world.Asked[call.Path] = world.Asked.GetValueOrDefault(call.Path) + 1;
            var asked = Array.FindIndex(world.Disks, disk => url == $"http://m{Array.IndexOf(world.Disks, disk)}:2380");
            if (world.Silent.Contains(asked))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, world.Time, cancelled).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                return PeerAnswer.None;
            }

            if (world.Misled.TryGetValue(asked, out var there))
            {
                (asked, url) = (there, $"http://m{there}:2380");
            }

            if (IsOff || !world._receptions.TryGetValue(url, out var reception) || world.Unreachable.Contains(asked) || world.IsCut(asked) || world.IsCut(asker))
            {
                return PeerAnswer.None;
            }

            var answer = world.Tamper(call, await reception.AnswerAsync(call, cancelled));
            await world.BeforeAnswer(call);
            return answer;
        }
    }

    private sealed class Transport(ClusterWorld world, Calls calls) : IPeerTransport
    {
        private Node? _self;

        public void Attach(Node node) => _self = node;

        public void Send(Message message) => _ = DeliverAsync(message);

        public void SetPeers(IReadOnlyList<PeerAddress> peers)
        {
        }

        private async Task DeliverAsync(Message message)
        {
            await Task.Delay(Latency, world.Time);
            if (!calls.IsOff && !world._cut.Contains(message.From) && !world._cut.Contains(message.To) && world._byId.TryGetValue(message.To, out var node)
                && node.ClusterId == _self!.ClusterId)
            {
                if (node.IsRemovedMember(message.From))
                {
                    // As the answer to its request would tell it.
                    world._byId.GetValueOrDefault(message.From)?.LearnRemoval();
                    return;
                }

                if (world.Holds(message))
                {
                    world.Held.Add(message);
                    return;
                }

                node.Receive(message, _self!.Sight);
            }
        }
    }
}
