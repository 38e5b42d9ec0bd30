using Cairn.Protocol.Peers;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
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

    // And at least two questions in a row: one may have met a pause of this process.
    private static readonly TimeSpan UnansweredFor = TimeSpan.FromSeconds(5);

    private readonly Dictionary<ulong, (DiskReport Report, long At)> _heard = [];
    private readonly HashSet<ulong> _asking = [];
    private readonly HandOverPolicy _policy = new(node.Options.ElectionTimeout);
    private readonly AsyncSignal _wake = new();
    private readonly Lock _lock = new();
    private readonly long _origin = node.Time.GetTimestamp();
    private TimeSpan? _lastChange;
    private (int Count, long Since) _unanswered;
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
            if (node.Facts.LeadingTerm == 0)
            {
                _policy.Rest();
                AskLeader();
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
            CannotAskLeader = CannotAskLeader(),
        };
    }

    private bool CannotAskLeader()
    {
        lock (_lock)
        {
            return _unanswered.Count > 1 && _leader == node.Facts.Leader && node.Time.GetElapsedTime(_unanswered.Since) >= UnansweredFor;
        }
    }

    private TimeSpan Waiting() => node.Facts.WritingSince is var since && since != 0 ? node.Time.GetElapsedTime(since) : TimeSpan.Zero;

    private void ObserveLeader()
    {
        var leader = node.Facts.Leader;
        if (leader != 0 && leader != _leader)
        {
            _lastChange = _leader == 0 ? null : Now();
            lock (_lock)
            {
                _leader = leader;
                _unanswered = default;
            }
        }
    }

    private TimeSpan Now() => node.Time.GetElapsedTime(_origin);

    private void AskOthers()
    {
        foreach (var member in node.View.Members.Members)
        {
            if (member.Id != node.Headers.MemberId && !member.IsLearner && !member.PeerUrls.IsEmpty && TryBegin(member.Id))
            {
                _ = AskAsync(member.Id, member.PeerUrls[0]);
            }
        }
    }

    private void AskLeader()
    {
        if (node.Facts.Leader is not 0 and var leader && node.View.Members.Find(leader) is { } member && TryBegin(leader))
        {
            _ = AskLeaderAsync(leader, PeerUrls.Of(member, node.Options));
        }
    }

    private bool TryBegin(ulong member)
    {
        lock (_lock)
        {
            return _asking.Add(member);
        }
    }

    /// <summary>Asks the leader anything. One of etcd has no page of this name, but says so.</summary>
    private async Task AskLeaderAsync(ulong leader, IReadOnlyList<string> urls)
    {
        var asked = node.Time.GetTimestamp();
        var hasAnswered = false;
        for (var i = 0; i < urls.Count && !hasAnswered; i++)
        {
            using var limit = new CancellationTokenSource(FreshFor, node.Time);
            try
            {
                hasAnswered = await node.World.Calls!.AskAsync(urls[i], PeerCall.Of(Path) with { To = leader }, limit.Token) is { Status: not 0, IsMisdirected: false }; // Nobody runs this loop without calls.
            }
            catch (OperationCanceledException)
            {
                // Too late is no answer.
            }
        }

        lock (_lock)
        {
            _asking.Remove(leader);
            if (_leader == leader)
            {
                _unanswered = hasAnswered ? default : (_unanswered.Count + 1, _unanswered.Count == 0 ? asked : _unanswered.Since);
            }
        }
    }

    private async Task AskAsync(ulong member, string url)
    {
        var report = await PeerBody.AskAsync(node.World, url, PeerCall.Of(Path) with { To = member }, DiskReport.Parser, FreshFor);
        lock (_lock)
        {
            _asking.Remove(member);
            if (report is not null)
            {
                _heard[member] = (report, node.Time.GetTimestamp());
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
