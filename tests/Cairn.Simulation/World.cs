namespace Cairn.Simulation;

/// <summary>All that happens in a run, in one thread: work that is ready is done in an order that the seed decides; when there is none, time goes on.</summary>
/// <remarks>Nothing here looks at a clock or a thread pool; whoever posts from another thread has escaped, which fails the run.</remarks>
internal sealed class World
{
    // A run takes some hundred thousand steps; ten times that means that something wakes itself for ever.
    private const long StepsMax = 20_000_000;

    private readonly int _thread = Environment.CurrentManagedThreadId;
    private readonly List<Work> _ready = [];
    private readonly PriorityQueue<Planned, (long Due, long Order)> _planned = new();
    private readonly Prng _order;
    private long _planOrder;
    private ulong _trace = 14695981039346656037;
    private string? _failure;

    public World(ulong seed)
    {
        Seed = seed;
        _order = new Prng(seed ^ 0x0DE5);
        Outside = new Machine(this, "outside", clockPercent: 100);
    }

    public ulong Seed { get; }

    /// <summary>Where everybody lives who is no member: clients, faults, the checks. It never fails.</summary>
    public Machine Outside { get; }

    /// <summary>Time since the begin, in units of 100 ns.</summary>
    public long Now { get; private set; }

    /// <summary>Work done so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Digest of everything that happened, in order.</summary>
    public ulong Trace => _trace;

    /// <summary>What went wrong first; null while nothing has.</summary>
    public string? Failure => Volatile.Read(ref _failure);

    /// <summary>Ends the run: something is not as it must be.</summary>
    public void Fail(string what) => Interlocked.CompareExchange(ref _failure, $"at {TimeSpan.FromTicks(Now).TotalSeconds:F3} s: {what}", null);

    /// <summary>Adds a number to the digest.</summary>
    public void Note(ulong fact) => _trace = (_trace ^ fact) * 1099511628211;

    /// <summary>Hands over work that is ready.</summary>
    public void Post(Machine machine, SendOrPostCallback callback, object? state)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            Fail($"work escaped to another thread:\n{Environment.StackTrace}");
            return;
        }

        if (machine.IsAlive)
        {
            (machine.IsPaused ? machine.Held : _ready).Add(new Work(machine, callback, state));
        }
    }

    /// <summary>Plans work.</summary>
    /// <returns>Cancels it.</returns>
    public Planned After(TimeSpan delay, Machine machine, Action action)
    {
        var planned = new Planned(machine, action);
        _planned.Enqueue(planned, (Now + Math.Max(delay.Ticks, 0), _planOrder++));
        return planned;
    }

    /// <summary>Runs until something is true; that is looked at whenever all that was ready is done, before time goes on.</summary>
    /// <returns>Whether it is; false when the time is over or the run has failed.</returns>
    public bool RunUntil(Func<bool> condition, TimeSpan limit)
    {
        var end = Now + limit.Ticks;
        while (Failure is null)
        {
            if (_ready.Count > 0)
            {
                Step();
            }
            else if (condition())
            {
                return true;
            }
            else if (!TryPassTime(end))
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>Runs for a time.</summary>
    public void RunFor(TimeSpan duration) => RunUntil(() => false, duration);

    private bool TryPassTime(long end)
    {
        if (!_planned.TryPeek(out _, out var next) || next.Due > end)
        {
            Now = end;
            return false;
        }

        Now = next.Due;
        while (_planned.TryPeek(out var planned, out next) && next.Due <= Now)
        {
            _planned.Dequeue();
            if (!planned.IsCancelled)
            {
                Post(planned.Machine, static action => ((Planned)action!).Run(), planned);
            }
        }

        return true;
    }

    private void Step()
    {
        var at = _order.Below(_ready.Count);
        var work = _ready[at];
        _ready[at] = _ready[^1];
        _ready.RemoveAt(_ready.Count - 1);
        if (!work.Machine.IsAlive)
        {
            return;
        }

        if (work.Machine.IsPaused)
        {
            work.Machine.Held.Add(work);
            return;
        }

        Steps++;
        Note((ulong)Now);
        Note((ulong)at);
        Do(work);
        if (work.Machine.IsAlive)
        {
            work.Machine.Stepped?.Invoke();
        }

        if (Steps > StepsMax)
        {
            Fail("the run does not end");
        }
    }

    private void Do(Work work)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(work.Machine);
        try
        {
            work.Callback(work.State);
        }
        catch (Disks.SimulatedCrashException) when (!work.Machine.IsAlive)
        {
            // The machine went off in the middle of it.
        }
        catch (Exception exception)
        {
            Fail($"{work.Machine.Name}: {exception}");
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    /// <summary>Something to do on a machine.</summary>
    internal readonly record struct Work(Machine Machine, SendOrPostCallback Callback, object? State);

    /// <summary>Something to do at a time.</summary>
    internal sealed class Planned(Machine machine, Action action)
    {
        public Machine Machine => machine;

        public bool IsCancelled { get; set; }

        public void Run()
        {
            if (!IsCancelled)
            {
                action();
            }
        }
    }
}
