using Cairn.Protocol;

namespace Cairn.Server.Upkeep;

/// <summary>Keeps the key space below its limit: warns before it, refuses writes at it, raises the alarm, and clears it when there is room again.</summary>
/// <remarks>
/// What counts is what lives and is retained, not the size of files: garbage is the cleaner's. The alarm is replicated, so every member refuses. It is cleared
/// by the member that raised it, after use was below <see cref="ClearBelow"/> for three seconds: who disarms by hand, as with etcd, can do it before. The alarm of
/// a member that is no member any more is the leader's to clear.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class SpaceQuota(NodeRuntime node)
{
    private const long DefaultBytes = 2L * 1024 * 1024 * 1024;
    private const double ClearBelow = 0.95;
    private const int PressurePercent = 80;
    private const int NearlyFullPercent = 90;

    // Use that goes up and down around a step is said once.
    private const int WarnAgainPercent = 5;
    private static readonly TimeSpan ClearAfter = TimeSpan.FromSeconds(3);

    private readonly SpaceReport _report = new(node);
    private long _lowSince;
    private bool _isOurs = node.View.Alarms.All.Contains(new State.Alarms.Alarm(node.Headers.MemberId, AlarmType.Nospace));
    private int _isProposing;
    private long _bytes = LimitOf(node.Options.QuotaBytes);
    private int _warnedAt;

    /// <summary>The limit, in bytes; 0 if there is none. Any thread.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Sets another limit, until the process ends. Any thread.</summary>
    /// <param name="told">As for the flag: 0 for the default, negative for none.</param>
    public void Change(long told)
    {
        var before = Interlocked.Exchange(ref _bytes, LimitOf(told));
        node.Logger.QuotaChanged(before, Bytes);
    }

    /// <summary>Whether so much is in use that history is kept shorter.</summary>
    public bool IsUnderPressure => UsedPercent >= PressurePercent;

    /// <summary>Whether so much is in use that only what watchers have to read is kept.</summary>
    public bool IsNearlyFull => UsedPercent >= NearlyFullPercent;

    /// <summary>What takes the space, for people, while the alarm of this member is raised; null if it is not, or not known yet.</summary>
    public string? Explanation => IsRaised ? _report.Text : null;

    /// <summary>Judges a write. Any thread.</summary>
    /// <param name="cost">What it adds, in bytes.</param>
    /// <returns>None, or NoSpace; at once, unless automatic compaction can make room.</returns>
    public ValueTask<NodeError> AdmitAsync(long cost)
    {
        if (cost > 0 && node.Disks.Reserve.IsLow && node.Facts.LeadingTerm != 0)
        {
            return new(NodeError.NoSpace);
        }

        if (Fits(cost))
        {
            return new(NodeError.None);
        }

        if (node.Housekeeping.Compaction.IsOn && !IsRaised)
        {
            return MakeRoomAsync(cost);
        }

        Raise();
        return new(NodeError.NoSpace);
    }

    /// <summary>Raises the alarm, unless it is raised. Any thread.</summary>
    public void Raise()
    {
        if (!IsRaised && Interlocked.Exchange(ref _isProposing, 1) == 0)
        {
            _ = RaiseAsync();
        }
    }

    /// <summary>Clears the alarm at once, unless the key space needs it. Any thread.</summary>
    /// <returns>Whether there is nothing left to be done.</returns>
    public bool TryClear()
    {
        if (!IsRaised || !_isOurs || IsNearLimit)
        {
            return true;
        }

        if (Interlocked.Exchange(ref _isProposing, 1) == 0)
        {
            _ = ClearAsync();
        }

        return false;
    }

    /// <summary>Warns of what is coming; says what takes the space while the alarm is raised; clears it if there has been room for long enough. The housekeeping loop.</summary>
    /// <returns>Completes when the alarm is cleared, or at once.</returns>
    public async Task ReviewAsync()
    {
        Warn();
        if (IsRaised && IsNearLimit)
        {
            await _report.RefreshAsync(Bytes);
        }

        var ours = IsNearLimit || node.Disks.Reserve.IsLow ? [] : FindOurs();
        if (ours.Count == 0)
        {
            _lowSince = 0;
            return;
        }

        if (_lowSince == 0)
        {
            _lowSince = node.Time.GetTimestamp();
        }

        if (node.Time.GetElapsedTime(_lowSince) >= ClearAfter)
        {
            _lowSince = 0;
            foreach (var member in ours)
            {
                if (await ProposeAsync(AlarmRequest.Types.AlarmAction.Deactivate, member))
                {
                    node.Logger.SpaceRegained(node.RevisionLog.LiveBytes, Bytes);
                }
            }
        }
    }

    private static long LimitOf(long told) => told switch
    {
        < 0 => 0,
        0 => DefaultBytes,
        _ => told,
    };

    private bool IsRaised => node.View.Alarms.All.Contains(new State.Alarms.Alarm(node.Headers.MemberId, AlarmType.Nospace));

    private bool IsNearLimit => Bytes > 0 && node.RevisionLog.LiveBytes >= Bytes * ClearBelow;

    private int UsedPercent => Bytes == 0 ? 0 : (int)(node.RevisionLog.LiveBytes * 100.0 / Bytes);

    private bool Fits(long cost) => Bytes == 0 || node.RevisionLog.LiveBytes + cost <= Bytes;

    private async ValueTask<NodeError> MakeRoomAsync(long cost)
    {
        try
        {
            await node.Housekeeping.Compaction.DropHistoryAsync();
        }
        catch (OperationCanceledException)
        {
            return NodeError.Stopped;
        }

        if (Fits(cost))
        {
            return NodeError.None;
        }

        Raise();
        return NodeError.NoSpace;
    }

    private void Warn()
    {
        var percent = UsedPercent;
        var step = percent >= NearlyFullPercent ? NearlyFullPercent : percent >= PressurePercent ? PressurePercent : 0;
        if (step > _warnedAt)
        {
            _warnedAt = step;
            node.Logger.SpaceIsShort(percent, node.RevisionLog.LiveBytes, Bytes);
        }
        else if (percent < _warnedAt - WarnAgainPercent)
        {
            _warnedAt = step;
        }
    }

    /// <summary>Finds the raised alarms that this member has to clear, by whom they are about.</summary>
    private List<ulong> FindOurs()
    {
        var view = node.View;
        var ours = new List<ulong>();
        foreach (var alarm in view.Alarms.All)
        {
            var isGone = node.Facts.LeadingTerm != 0 && view.Members.Members.All(member => member.Id != alarm.MemberId);
            if (alarm.Kind == AlarmType.Nospace && ((alarm.MemberId == node.Headers.MemberId && _isOurs) || isGone))
            {
                ours.Add(alarm.MemberId);
            }
        }

        return ours;
    }

    private async Task ClearAsync()
    {
        await ProposeAsync(AlarmRequest.Types.AlarmAction.Deactivate, node.Headers.MemberId);
        Volatile.Write(ref _isProposing, 0);
    }

    private async Task RaiseAsync()
    {
        if (await ProposeAsync(AlarmRequest.Types.AlarmAction.Activate, node.Headers.MemberId))
        {
            _isOurs = true;
            node.Logger.SpaceExceeded(node.RevisionLog.LiveBytes, Bytes);
        }

        Volatile.Write(ref _isProposing, 0);
    }

    private async ValueTask<bool> ProposeAsync(AlarmRequest.Types.AlarmAction action, ulong member)
    {
        var request = new AlarmRequest { Action = action, Alarm = AlarmType.Nospace, MemberID = member };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.AlarmFieldNumber, request, default);
        return outcome.Error == NodeError.None;
    }
}
