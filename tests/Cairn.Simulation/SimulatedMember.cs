using Cairn.Server;
using Cairn.Simulation.Disks;
using Microsoft.Extensions.Logging;

namespace Cairn.Simulation;

/// <summary>A member through all its lives: its disk stays, its processes come and go.</summary>
internal sealed class SimulatedMember
{
    private readonly World _world;
    private readonly NodeOptions _options;
    private readonly ILoggerFactory _logs;
    private readonly SimulatedNetwork _network;
    private readonly Prng _prng;

    public SimulatedMember(World world, NodeOptions options, ILoggerFactory logs, SimulatedNetwork network, Prng prng)
    {
        _world = world;
        _options = options;
        _logs = logs;
        _network = network;
        _prng = prng;
        Disk = new SimulatedDisk(prng.NextUInt64(), world.Outside.Time) { Crashed = () => Machine!.Die() };
    }

    public string Name => _options.Name;

    public SimulatedDisk Disk { get; }

    /// <summary>The process; null before the first.</summary>
    public Machine? Machine { get; private set; }

    /// <summary>The node, once it has started; null while there is none.</summary>
    public Node? Node { get; private set; }

    /// <summary>Its id; 0 before it has started for the first time.</summary>
    public ulong MemberId { get; private set; }

    public bool IsUp => Machine is { IsAlive: true };

    /// <summary>Processes so far.</summary>
    public int Lives { get; private set; }

    /// <summary>Starts a process on the disk.</summary>
    public void Start()
    {
        Invariant.Holds(!IsUp);
        Lives++;
        Node = null;
        Machine = new Machine(_world, $"{Name}/{Lives}", (int)_prng.Between(100 - ClockSkew.PercentMax, 100 + ClockSkew.PercentMax));
        Machine.Run(() => _ = LiveAsync(Machine));
    }

    /// <summary>Ends the process as kill -9 does: what it wrote stays.</summary>
    public void Kill()
    {
        Machine!.Die();
        Node = null;
        Disk.Kill();
    }

    /// <summary>Takes the power away: what was not synced is up to chance.</summary>
    public void CutPower(CrashMode mode)
    {
        Machine!.Die();
        Node = null;
        Disk.CutPower(mode);
    }

    /// <summary>Asks the process to end.</summary>
    public void Stop() => Machine!.Run(() => _ = Node?.DisposeAsync().AsTask());

    private async Task LiveAsync(Machine machine)
    {
        try
        {
            var node = await Node.StartAsync(_options, new NodeWorld
            {
                Disk = Disk,
                Time = machine.Time,
                Seed = _prng.NextUInt64(),
                LoggerFactory = _logs,
                Transport = _network.Connect(machine),
            });
            Node = node;
            MemberId = node.Look().MemberId;
            if (await node.Stopped is { } failure)
            {
                _world.Fail($"{machine.Name} gave up: {failure}");
            }

            Node = null;
            machine.Die();
        }
        catch (Exception exception) when (machine.IsAlive)
        {
            _world.Fail($"{machine.Name} did not start: {exception}");
        }
        catch (SimulatedCrashException)
        {
            // Crashed while it started.
        }
    }
}

/// <summary>How wrong the clocks of members are.</summary>
internal static class ClockSkew
{
    /// <summary>Far more than any clock that somebody runs a cluster with; leases are promised within it.</summary>
    public const int PercentMax = 10;
}
