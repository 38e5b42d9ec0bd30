using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Workloads;

/// <summary>All clients of a run.</summary>
internal sealed class Workload
{
    // Numbers of clients tell their values and leases: those of a second workload are not those of the first.
    private const int ClientsMax = 100;

    private readonly Fleet _fleet;
    private readonly List<Task> _clients = [];
    private readonly int _first;

    /// <summary>Prepares.</summary>
    /// <param name="world">Where.</param>
    /// <param name="plan">What the run is about.</param>
    /// <param name="fleet">Who is called.</param>
    /// <param name="begin">What there is at first: nothing, or what a new epoch begins with.</param>
    public Workload(World world, Plan plan, Fleet fleet, Baseline? begin = null)
    {
        World = world;
        Plan = plan;
        Begin = begin ?? new Baseline(1, []);
        Link = new ClientLink(world, new Prng(world.Seed ^ 0x11EE));
        _fleet = fleet;
        _first = begin is null ? 0 : ClientsMax;
        Operator = plan.ChangesMembers ? new Operator(this, fleet, 8) : null;
        Witness = Watch("witness", "\0", "\0");
        History.Watches.Add(Witness);
        History.Watches.Add(Watch("all with previous", "\0", "\0", wantsPrevious: true));
        History.Watches.Add(Watch("one key", "k1", "", wantsPrevious: true));
        History.Watches.Add(Watch("deletes", "k1", "k4", noPut: true));
        History.Watches.Add(Watch("puts", "k", "z", noDelete: true));
    }

    public World World { get; }

    public Plan Plan { get; }

    public ClientLink Link { get; }

    public History History { get; } = new();

    /// <summary>What there was before the first client called.</summary>
    public Baseline Begin { get; }

    /// <summary>Sees every change from the first revision on.</summary>
    public WatchRecord Witness { get; }

    /// <summary>Whether clients finish what they are at and go.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Whether watchers go too.</summary>
    public bool IsOver { get; private set; }

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
            _clients.Add(GuardAsync(new KeyClient(this, _first + i).RunAsync()));
        }

        for (var i = 5; i < 8; i++)
        {
            _clients.Add(GuardAsync(new LeaseClient(this, _first + i).RunAsync()));
        }

        _clients.Add(GuardAsync(new Maintainer(this, _first + 9).RunAsync()));
        if (Plan.HasSpare)
        {
            _clients.Add(GuardAsync(new SpareKeeper(this, _fleet, _first + 10).RunAsync()));
        }

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

    /// <summary>Ends the watchers as well.</summary>
    public void End() => IsStopping = IsOver = true;

    /// <summary>Starts what is listed and does not run yet.</summary>
    public void Settle() => World.Outside.Run(() => _clients.Add(GuardAsync(Operator?.SettleAsync() ?? Task.CompletedTask)));

    /// <summary>Finds the member of an id; null if there is none.</summary>
    public SimulatedMember? Find(ulong id) => _fleet.All.FirstOrDefault(member => member.MemberId == id);

    public SimulatedMember PickMember(Prng prng) => _fleet.All[prng.Below(_fleet.All.Count)];

    private WatchRecord Watch(string name, string key, string end, bool wantsPrevious = false, bool noPut = false, bool noDelete = false) =>
        new() { Name = name, Key = key, End = end, WantsPrevious = wantsPrevious, NoPut = noPut, NoDelete = noDelete, Next = Begin.Revision + (_first == 0 ? 0 : 1) };

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
