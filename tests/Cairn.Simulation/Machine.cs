namespace Cairn.Simulation;

/// <summary>One life of a process: the scheduler of its work and its clock. When it dies, its work is never done.</summary>
internal sealed class Machine : SynchronizationContext
{
    private readonly World _world;

    public Machine(World world, string name, int clockPercent)
    {
        _world = world;
        Name = name;
        Time = new SimulatedTime(world, this, clockPercent);
    }

    public string Name { get; }

    public SimulatedTime Time { get; }

    public bool IsAlive { get; private set; } = true;

    public bool IsPaused { get; private set; }

    /// <summary>Called after each step of this machine, while it lives.</summary>
    public Action? Stepped { get; set; }

    /// <summary>Called when it dies.</summary>
    public Action? Died { get; set; }

    /// <summary>Work that became ready during a pause.</summary>
    internal List<World.Work> Held { get; } = [];

    public override void Post(SendOrPostCallback d, object? state) => _world.Post(this, d, state);

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("nobody waits for another in one thread");

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Does something on this machine, soon.</summary>
    public void Run(Action action) => Post(static state => ((Action)state!)(), action);

    public void Die()
    {
        IsAlive = false;
        Held.Clear();
        Died?.Invoke();
    }

    public void Pause() => IsPaused = true;

    public void Resume()
    {
        IsPaused = false;
        foreach (var work in Held)
        {
            _world.Post(this, work.Callback, work.State);
        }

        Held.Clear();
    }
}
