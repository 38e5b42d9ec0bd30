using Cairn.Protocol;

namespace Cairn.Server.Upkeep;

/// <summary>Keeps the key space below its limit: refuses writes at it, raises the alarm, and clears it when there is room again.</summary>
/// <remarks>
/// What counts is what lives and is retained, not the size of files: garbage is the cleaner's. The alarm is replicated, so every member refuses. It is cleared
/// by the member that raised it, after use was below <see cref="ClearBelow"/> for three seconds: who disarms by hand, as with etcd, can do it before.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class SpaceQuota(NodeRuntime node)
{
    private const long DefaultBytes = 2L * 1024 * 1024 * 1024;
    private const double ClearBelow = 0.95;
    private const double PressureAt = 0.8;
    private static readonly TimeSpan ClearAfter = TimeSpan.FromSeconds(3);

    private long _lowSince;
    private bool _isOurs = node.View.Alarms.All.Contains(new State.Alarms.Alarm(node.Headers.MemberId, AlarmType.Nospace));
    private int _isProposing;

    /// <summary>The limit, in bytes; 0 if there is none.</summary>
    public long Bytes { get; } = node.Options.QuotaBytes switch
    {
        < 0 => 0,
        0 => DefaultBytes,
        var bytes => bytes,
    };

    /// <summary>Whether so much is in use that history is dearer than what slow watchers would like to keep.</summary>
    public bool IsUnderPressure => Bytes > 0 && node.RevisionLog.LiveBytes >= Bytes * PressureAt;

    /// <summary>Judges a write. Any thread.</summary>
    /// <param name="cost">What it adds, in bytes.</param>
    /// <returns>None, or NoSpace.</returns>
    public NodeError Judge(long cost)
    {
        if (cost > 0 && node.Disks.Reserve.IsLow && node.Facts.LeadingTerm != 0)
        {
            return NodeError.NoSpace;
        }

        if (Bytes == 0 || node.RevisionLog.LiveBytes + cost <= Bytes)
        {
            return NodeError.None;
        }

        Raise();
        return NodeError.NoSpace;
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

    /// <summary>Clears the alarm if there has been room for long enough. The housekeeping loop.</summary>
    /// <returns>Completes when the alarm is cleared, or at once.</returns>
    public async Task ReviewAsync()
    {
        if (!IsRaised || !_isOurs || IsNearLimit || node.Disks.Reserve.IsLow)
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
            if (await ProposeAsync(AlarmRequest.Types.AlarmAction.Deactivate))
            {
                node.Logger.SpaceRegained(node.RevisionLog.LiveBytes, Bytes);
            }
        }
    }

    private bool IsRaised => node.View.Alarms.All.Contains(new State.Alarms.Alarm(node.Headers.MemberId, AlarmType.Nospace));

    private bool IsNearLimit => Bytes > 0 && node.RevisionLog.LiveBytes >= Bytes * ClearBelow;

    private async Task ClearAsync()
    {
        await ProposeAsync(AlarmRequest.Types.AlarmAction.Deactivate);
        Volatile.Write(ref _isProposing, 0);
    }

    private async Task RaiseAsync()
    {
        if (await ProposeAsync(AlarmRequest.Types.AlarmAction.Activate))
        {
            _isOurs = true;
            node.Logger.SpaceExceeded(node.RevisionLog.LiveBytes, Bytes);
        }

        Volatile.Write(ref _isProposing, 0);
    }

    private async ValueTask<bool> ProposeAsync(AlarmRequest.Types.AlarmAction action)
    {
        var request = new AlarmRequest { Action = action, Alarm = AlarmType.Nospace, MemberID = node.Headers.MemberId };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.AlarmFieldNumber, request, default);
        return outcome.Error == NodeError.None;
    }
}
