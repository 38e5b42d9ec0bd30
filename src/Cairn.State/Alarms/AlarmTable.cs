using System.Collections.Immutable;
using Cairn.Protocol;

namespace Cairn.State.Alarms;

/// <summary>One raised alarm.</summary>
/// <param name="MemberId">Who it is about; need not be a member.</param>
/// <param name="Kind">NOSPACE or CORRUPT.</param>
public readonly record struct Alarm(ulong MemberId, AlarmType Kind) : IComparable<Alarm>
{
    /// <inheritdoc/>
    public int CompareTo(Alarm other)
    {
        var byKind = Kind.CompareTo(other.Kind);
        return byKind != 0 ? byKind : MemberId.CompareTo(other.MemberId);
    }

    /// <summary>Order by kind, then by member.</summary>
    /// <param name="left">An alarm.</param>
    /// <param name="right">Another.</param>
    /// <returns>Whether <paramref name="left"/> comes first.</returns>
    public static bool operator <(Alarm left, Alarm right) => left.CompareTo(right) < 0;

    /// <summary>Order by kind, then by member.</summary>
    /// <param name="left">An alarm.</param>
    /// <param name="right">Another.</param>
    /// <returns>Whether <paramref name="left"/> comes last.</returns>
    public static bool operator >(Alarm left, Alarm right) => left.CompareTo(right) > 0;

    /// <summary>Order by kind, then by member.</summary>
    /// <param name="left">An alarm.</param>
    /// <param name="right">Another.</param>
    /// <returns>Whether <paramref name="left"/> is not after the other.</returns>
    public static bool operator <=(Alarm left, Alarm right) => left.CompareTo(right) <= 0;

    /// <summary>Order by kind, then by member.</summary>
    /// <param name="left">An alarm.</param>
    /// <param name="right">Another.</param>
    /// <returns>Whether <paramref name="left"/> is not before the other.</returns>
    public static bool operator >=(Alarm left, Alarm right) => left.CompareTo(right) >= 0;
}

/// <summary>The raised alarms; part of the replicated state, because they decide what later entries may do. Immutable.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v3alarm/alarms.go.</remarks>
public sealed class AlarmTable
{
    private AlarmTable(ImmutableArray<Alarm> alarms)
    {
        All = alarms;
        foreach (var alarm in alarms)
        {
            IsSpaceExceeded |= alarm.Kind == AlarmType.Nospace;
            IsCorrupt |= alarm.Kind == AlarmType.Corrupt;
        }
    }

    /// <summary>No alarm.</summary>
    public static AlarmTable Empty { get; } = new([]);

    /// <summary>All alarms, by kind, then by member.</summary>
    public ImmutableArray<Alarm> All { get; }

    /// <summary>Whether some member ran out of space: puts and grants are refused.</summary>
    public bool IsSpaceExceeded { get; }

    /// <summary>Whether some member's data differs: writes are refused.</summary>
    public bool IsCorrupt { get; }

    internal static AlarmTable Of(IEnumerable<Alarm> alarms) => new([.. alarms.Order()]);

    internal AlarmTable With(Alarm alarm) => All.Contains(alarm) ? this : Of(All.Add(alarm));

    internal AlarmTable Without(Alarm alarm) => All.Contains(alarm) ? new AlarmTable(All.Remove(alarm)) : this;

    /// <summary>Carries out an alarm request.</summary>
    /// <returns>The table afterwards, and the alarms that the answer names.</returns>
    internal (AlarmTable Table, IEnumerable<Alarm> Named) Apply(AlarmRequest request)
    {
        var alarm = new Alarm(request.MemberID, request.Alarm);
        return request.Action switch
        {
            AlarmRequest.Types.AlarmAction.Get => (this, All.Where(each => request.Alarm == AlarmType.None || each.Kind == request.Alarm)),
            AlarmRequest.Types.AlarmAction.Activate when request.Alarm != AlarmType.None => (With(alarm), [alarm]),
            AlarmRequest.Types.AlarmAction.Deactivate when All.Contains(alarm) => (Without(alarm), [alarm]),
            _ => (this, []),
        };
    }
}
