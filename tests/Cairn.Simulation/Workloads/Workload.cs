using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Workloads;

/// <summary>All clients of a run.</summary>
internal sealed class Workload
{
    private readonly Fleet _fleet;
    private readonly List<Task> _clients = [];

    public Workload(World world, Plan plan, Fleet fleet)
    {
        World = world;
        Plan = plan;
        Link = new ClientLink(world, new Prng(world.Seed ^ 0x11EE));
        _fleet = fleet;
        Operator = plan.ChangesMembers ? new Operator(this, fleet, 8) : null;
        Witness = new WatchRecord { Name = "witness", Key = "\0", End = "\0" };
        History.Watches.Add(Witness);
        History.Watches.Add(new WatchRecord { Name = "all with previous", Key = "\0", End = "\0", WantsPrevious = true });
        History.Watches.Add(new WatchRecord { Name = "one key", Key = "k1", End = "", WantsPrevious = true });
        History.Watches.Add(new WatchRecord { Name = "deletes", Key = "k1", End = "k4", NoPut = true });
        History.Watches.Add(new WatchRecord { Name = "puts", Key = "k", End = "z", NoDelete = true });
    }

    public World World { get; }

    public Plan Plan { get; }

    public ClientLink Link { get; }

    public History History { get; } = new();

    /// <summary>Sees every change from the first revision on.</summary>
    public WatchRecord Witness { get; }

    /// <summary>Whether clients finish what they are at and go.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Who changes the membership; null where nobody does.</summary>
    public Operator? Operator { get; }

    /// <summary>Calls that were answered.</summary>
    public long Answered { get; set; }

    /// <summary>Whether the clients have gone; watchers stay.</summary>
    public bool HasStopped => _clients.TrueForAll(client => client.IsCompleted);

    public void Start() => World.Outside.Run(() =>
    {
        for (var i = 0; i < 5; i++)
        {
            _clients.Add(GuardAsync(new KeyClient(this, i).RunAsync()));
        }

        for (var i = 5; i < 8; i++)
        {
            _clients.Add(GuardAsync(new LeaseClient(this, i).RunAsync()));
        }

        _clients.Add(GuardAsync(new Maintainer(this, 9).RunAsync()));
        if (Operator is not null)
        {
            _clients.Add(GuardAsync(Operator.RunAsync()));
        }

        for (var i = 0; i < History.Watches.Count; i++)
        {
            _ = GuardAsync(new WatchClient(this, History.Watches[i], 0xFACE + (ulong)i).RunAsync());
        }
    });

    public void Stop() => IsStopping = true;

    /// <summary>Starts what is listed and does not run yet.</summary>
    public void Settle() => World.Outside.Run(() => _clients.Add(GuardAsync(Operator?.SettleAsync() ?? Task.CompletedTask)));

    /// <summary>Finds the member of an id; null if there is none.</summary>
    public SimulatedMember? Find(ulong id) => _fleet.All.FirstOrDefault(member => member.MemberId == id);

    public SimulatedMember PickMember(Prng prng) => _fleet.All[prng.Below(_fleet.All.Count)];

    private async Task GuardAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception exception)
        {
            World.Fail($"a client: {exception}");
        }
    }
}
