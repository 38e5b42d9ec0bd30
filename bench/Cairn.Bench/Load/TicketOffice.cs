using Cairn.Bench.Measure;

namespace Cairn.Bench.Load;

/// <summary>Hands out the requests of a run, and says when each is due. Any thread.</summary>
internal sealed class TicketOffice
{
    private readonly NanoClock _clock;
    private readonly long _first;
    private readonly long _end;
    private readonly double _nanosecondsEach;
    private readonly long _start;
    private readonly long _stop;
    private long _next;

    /// <summary>Opens for a run that starts now.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="clock">The clock of its threads.</param>
    public TicketOffice(LoadPlan plan, NanoClock clock)
    {
        _clock = clock;
        _first = plan.FirstSequence;
        _end = plan.Total > long.MaxValue - _first ? long.MaxValue : _first + plan.Total;
        _nanosecondsEach = plan.Rate > 0 ? 1e9 / plan.Rate : 0;
        _next = _first;
        _start = clock.Now;
        _stop = plan.Duration == TimeSpan.MaxValue ? long.MaxValue : _start + (plan.Duration.Ticks * TimeSpan.NanosecondsPerTick);
    }

    /// <summary>Takes the next request.</summary>
    /// <param name="ticket">The request.</param>
    /// <returns>False when the run is over.</returns>
    public bool TryTake(out Ticket ticket)
    {
        var sequence = Interlocked.Increment(ref _next) - 1;
        var due = _nanosecondsEach == 0 ? _clock.Now : _start + (long)((sequence - _first) * _nanosecondsEach);
        ticket = new Ticket(sequence, due);
        return sequence < _end && due < _stop;
    }

    /// <summary>The right to make a request.</summary>
    /// <param name="Sequence">Its number.</param>
    /// <param name="Due">When, on the clock of the run.</param>
    public readonly record struct Ticket(long Sequence, long Due);
}
