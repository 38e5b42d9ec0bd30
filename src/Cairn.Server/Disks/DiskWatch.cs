using Cairn.Protocol.Peers;
using Cairn.Server.Loops;
using Cairn.Server.Peers;

namespace Cairn.Server.Disks;

/// <summary>Knows how this member's disk does and whether it can ask its leader, and, on the leader, the same of the others; hands leadership over when the leader is the odd one out.</summary>
/// <remarks>A loop of its own, which never waits for an answer: what came back by the next turn is looked at then.</remarks>
/// <param name="node">The node.</param>
internal sealed class DiskWatch(NodeRuntime node)
{
    /// <summary>Path of the question.</summary>
    public const string Path = "/cairn/disk";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    // What was said longer ago is not known any more.
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(2);

    private readonly Dictionary<ulong, (DiskReport Report, long At)> _heard = [];
    private readonly HashSet<ulong> _asking = [];
    private readonly HandOverPolicy _policy = new(node.Options.ElectionTimeout);
    private readonly LeaderContact _contact = new(node);
    private readonly AsyncSignal _wake = new();
    private readonly Lock _lock = new();
    private readonly long _origin = node.Time.GetTimestamp();
    private TimeSpan? _lastChange;
    private ulong _leader;
    private bool _stopping;

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        if (node.World.Calls is null)
        {
            return;
        }

        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, Interval, Interval);
        while (!Volatile.Read(ref _stopping))
        {
            await _wake.WaitAsync();
            ObserveLeader();
            _contact.Review();
            if (node.Facts.LeadingTerm == 0)
            {
                _policy.Rest();
                continue;
            }

            AskOthers();
            await ReviewAsync();
        }
    }

    /// <summary>Ends the loop.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    /// <summary>Describes this member. Any thread.</summary>
    /// <returns>What others are told.</returns>
    public DiskReport Describe()
    {
        var times = node.Facts.Syncs.Measure();
        return new DiskReport
        {
            Syncs = (uint)times.Count,
            P50Us = (ulong)times.Median.TotalMicroseconds,
            P99Us = (ulong)times.P99.TotalMicroseconds,
            WorstUs = (ulong)times.Worst.TotalMicroseconds,
            WaitingUs = (ulong)Waiting().TotalMicroseconds,
            Failure = node.Facts.WriteFailure?.Message ?? (node.Disks.Reserve.IsLow ? "the disk is full" : ""),
            CannotAskLeader = _contact.IsLost,
        };
    }

    private TimeSpan Waiting() => node.Facts.WritingSince is var since && since != 0 ? node.Time.GetElapsedTime(since) : TimeSpan.Zero;

    private void ObserveLeader()
    {
        var leader = node.Facts.Leader;
        if (leader != 0 && leader != _leader)
        {
            _lastChange = _leader == 0 ? null : Now();
            _leader = leader;
        }
    }

    private TimeSpan Now() => node.Time.GetElapsedTime(_origin);

    private void AskOthers()
    {
        foreach (var member in node.View.Members.Members)
        {
            bool isFirst;
            lock (_lock)
            {
                isFirst = member.Id != node.Headers.MemberId && !member.IsLearner && !member.PeerUrls.IsEmpty && _asking.Add(member.Id);
            }

            if (isFirst)
            {
                _ = AskAsync(member.Id, member.PeerUrls[0]);
            }
        }
    }

    private async Task AskAsync(ulong member, string url)
    {
        DiskReport? report = null;
        try
        {
            report = await PeerBody.AskAsync(node.World, url, PeerCall.Of(Path) with { To = member }, DiskReport.Parser, FreshFor);
        }
        finally
        {
            lock (_lock)
            {
                _asking.Remove(member);
                if (report is not null)
                {
                    _heard[member] = (report, node.Time.GetTimestamp());
                }
            }
        }
    }

    private async Task ReviewAsync()
    {
        var own = Judge(node.Headers.MemberId, Describe());
        var takesWrites = !own.IsFailing && node.Facts.UnsyncedBytes < LoopLimits.UnsyncedBytesMax / 4 * 3;
        var decision = _policy.Decide(Now(), _lastChange, own, takesWrites, await FindOthersAsync());
        if (decision is not { } handOver)
        {
            return;
        }

        node.Logger.HandsOver(handOver.Target, handOver.Reason);
        node.RaftLoop.Completions.TryPost(RaftCompletion.OfCall(core => core.TransferLeader(handOver.Target)));
    }

    /// <summary>Finds the voters that said something a moment ago and have nearly all of the log.</summary>
    private async Task<List<MemberHealth>> FindOthersAsync()
    {
        var others = new List<MemberHealth>();
        var described = node.RaftLoop.DescribeAsync();
        if (await Patience.WaitAsync(described, Interval, node.Time, default) != WaitOutcome.Done)
        {
            // The raft loop has ended, so this one ends soon.
            return others;
        }

        var status = await described;
        lock (_lock)
        {
            foreach (var peer in status.Peers)
            {
                if (peer is { IsLearner: false, State: Raft.Progress.ProgressState.Replicate } && peer.Id != status.Basic.Id
                    && _heard.TryGetValue(peer.Id, out var heard) && node.Time.GetElapsedTime(heard.At) < FreshFor)
                {
                    others.Add(Judge(peer.Id, heard.Report));
                }
            }
        }

        return others;
    }

    private static MemberHealth Judge(ulong member, DiskReport report) => new(
        member, TimeSpan.FromMicroseconds(report.P99Us), TimeSpan.FromMicroseconds(report.WaitingUs), report.Failure.Length > 0, report.CannotAskLeader);
}
