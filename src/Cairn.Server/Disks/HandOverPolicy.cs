namespace Cairn.Server.Disks;

/// <summary>What a leader knows of a member that could lead in its stead.</summary>
/// <param name="MemberId">The member.</param>
/// <param name="P99">99 of 100 of its last syncs took no longer.</param>
/// <param name="Waiting">How long the sync under way has taken so far.</param>
/// <param name="IsFailing">Whether its log cannot be written.</param>
/// <param name="CannotAsk">Whether it hears the leader, but gets no answer from it.</param>
internal readonly record struct MemberHealth(ulong MemberId, TimeSpan P99, TimeSpan Waiting, bool IsFailing, bool CannotAsk);

/// <summary>Decides when a leader should hand over because of its disk, or because its name leads the others elsewhere, and to whom.</summary>
/// <remarks>
/// <para>
/// A leader is not slowed down by its own disk, since a quorum of others commits without it; so there is no hurry, and a good reason not to move leadership back
/// and forth. It hands over when its syncs were much slower than those of the others for a while, or when one hangs and theirs do not, and at most once in a
/// minute. There is a hurry when its disk stops it from taking writes: then it hands over at once, but waits longer after each attempt that changed nothing.
/// </para>
/// <para>
/// The streams of messages go both ways, whoever dialled them. So one whom nobody can dial may lead for ever, while keep-alives and all else that is passed on to
/// a leader end at its old address. When most of the others say so, it hands over, soon enough for leases of fifteen seconds.
/// </para>
/// <para>Not thread-safe. Pure but for what it remembers of earlier calls.</para>
/// </remarks>
/// <param name="electionTimeout">A sync that takes longer hangs.</param>
internal sealed class HandOverPolicy(TimeSpan electionTimeout)
{
    private const int TimesSlower = 5;
    private static readonly TimeSpan SlowAtLeast = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SlowFor = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan UnaskedFor = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenUnasked = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HurryBetweenMin = TimeSpan.FromSeconds(2);

    private TimeSpan? _slowSince;
    private TimeSpan? _unaskedSince;
    private TimeSpan? _lastTried;
    private TimeSpan _hurryBetween = HurryBetweenMin;

    /// <summary>Forgets what it saw of a leader, because this member does not lead.</summary>
    public void Rest()
    {
        _slowSince = _unaskedSince = null;
        _hurryBetween = HurryBetweenMin;
    }

    /// <summary>Decides.</summary>
    /// <param name="now">The time, monotonic.</param>
    /// <param name="lastChange">When leadership last went from one member to another; null if it never did.</param>
    /// <param name="own">This member.</param>
    /// <param name="takesWrites">Whether this member still takes writes.</param>
    /// <param name="others">The voters that answered a moment ago and can lead.</param>
    /// <returns>To whom to hand over, and why; null for nobody.</returns>
    public (ulong Target, string Reason)? Decide(TimeSpan now, TimeSpan? lastChange, MemberHealth own, bool takesWrites, IReadOnlyList<MemberHealth> others)
    {
        var healthy = others.Where(other => !other.IsFailing && other.Waiting < electionTimeout).OrderBy(static other => other.P99).ToList();
        if (healthy.Count == 0)
        {
            _slowSince = _unaskedSince = null;
            return null;
        }

        if (!takesWrites)
        {
            return Hurry(now, healthy[0].MemberId);
        }

        if (IsUnasked(now, lastChange, others))
        {
            _lastTried = now;
            return (healthy[0].MemberId, "the others hear this leader, but do not reach it by its peer URLs");
        }

        var bound = Max(SlowAtLeast, healthy[healthy.Count / 2].P99 * TimesSlower);
        _slowSince = own.P99 > bound && healthy[0].P99 < own.P99 ? _slowSince ?? now : null;
        var reason = own.Waiting > electionTimeout ? $"a sync of this leader's disk has taken {own.Waiting.TotalMilliseconds:F0} ms so far"
            : _slowSince is { } since && now - since >= SlowFor ? $"syncs of this leader's disk take {own.P99.TotalMilliseconds:F0} ms (p99)"
            : null;
        if (reason is null || now - lastChange < Between || now - _lastTried < Between)
        {
            return null;
        }

        _lastTried = now;
        return (healthy[0].MemberId, reason);
    }

    /// <summary>Whether it is time to give up what most others cannot ask. One attempt may fail, so another follows soon if leadership did not move.</summary>
    private bool IsUnasked(TimeSpan now, TimeSpan? lastChange, IReadOnlyList<MemberHealth> others)
    {
        // What a member said of a leader that stood still is not true any more by the second time that it is asked.
        _unaskedSince = others.Count(static other => other.CannotAsk) * 2 > others.Count ? _unaskedSince ?? now : null;
        var between = lastChange is null || lastChange < _lastTried ? BetweenUnasked : Between;
        return now - _unaskedSince >= UnaskedFor && !(now - lastChange < BetweenUnasked) && !(now - _lastTried < between);
    }

    private (ulong Target, string Reason)? Hurry(TimeSpan now, ulong target)
    {
        if (now - _lastTried < _hurryBetween)
        {
            return null;
        }

        _lastTried = now;
        _hurryBetween = _hurryBetween < Between ? _hurryBetween * 2 : Between;
        return (target, "this leader's disk cannot be written, or too much waits for it");
    }

    private static TimeSpan Max(TimeSpan left, TimeSpan right) => left > right ? left : right;
}
