using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Cairn.Protocol;
using Cairn.Server.Loops;
using Cairn.Server.Peers;
using Cairn.Server.Requests;
using Cairn.State.Mvcc;
using Cairn.Storage;

namespace Cairn.Server.Healing;

/// <summary>Compares the hash of the key space with those of other members, at the same revision and above the same compaction, and does what follows.</summary>
/// <remarks>
/// <para>
/// The leader compares what all members keep of each compaction, which costs nothing, and if it is told to, hashes of everything. Most decide: who differs from
/// them is told, finds out for itself, steps aside and fetches its store again; a leader that is the odd one hands leadership over first. Where there is no
/// majority, or the odd one cannot heal itself, the leader raises CORRUPT as etcd does, and who differs from it serves nothing until they agree.
/// </para>
/// <para>While CORRUPT is raised everything is compared each time, and the alarm is cleared once all agree. Source: etcd server/etcdserver/corrupt.go.</para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class HashCheck(NodeRuntime node)
{
    /// <summary>Path at which the leader tells a member that its hash differs; the revision follows as text in the body.</summary>
    public const string DiffersPath = "/cairn/hash/differs";

    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan SayAgainAfter = TimeSpan.FromMilliseconds(100);

    private readonly AsyncSignal _wake = new();
    private volatile string? _distrusted;
    private long _checkedRevision;
    private long _doubtedRevision = -1;
    private bool _isDue;
    private bool _isAllDue;
    private bool _stopping;

    /// <summary>Asks and answers.</summary>
    public HashQuestions Questions { get; } = new(node);

    /// <summary>What happens when this member's store is not what it should be.</summary>
    public SteppingAside Aside { get; } = new(node);

    /// <summary>Why nothing that is stored here may be served, though nobody knows who is wrong; null if it may.</summary>
    public string? Distrusted => _distrusted;

    private ulong Self => node.Headers.MemberId;

    /// <summary>Compares with whoever answers, before anything is served.</summary>
    /// <returns>Completes when done; if most others differ, this member steps aside once it runs.</returns>
    public async Task CheckAtStartAsync()
    {
        node.Logger.InitialHashCheckBegan(Self);
        if (await HashHereAsync(0) is not { } own)
        {
            return;
        }

        var peers = await Questions.AskAllAsync(own.Revision, keptOnly: false);
        var differs = false;
        foreach (var peer in peers)
        {
            differs |= CompareAtStart(own, peer);
        }

        if (!differs)
        {
            node.Logger.InitialHashCheckPassed(Self);
            return;
        }

        // In etcd's words, which are looked for.
        var reason = $"{Self:x} found data inconsistency with peers";
        if (!TryStepAside(HashVerdict.Judge(Self, own, peers), own.Revision))
        {
            Distrust(reason);
        }
    }

    /// <summary>Hears that the leader has another hash; looks into it soon.</summary>
    /// <param name="call">What it said.</param>
    /// <returns>Whether this member knows how to look into it.</returns>
    public PeerAnswer HearDifference(PeerCall call)
    {
        var text = Encoding.UTF8.GetString(call.Body.GetValueOrDefault().Span);
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var revision))
        {
            return PeerAnswer.Refuse(400, "no revision");
        }

        Volatile.Write(ref _doubtedRevision, revision);
        _wake.Set();
        return node.Options.Heal == HealMode.Auto ? new PeerAnswer(200, default) : PeerAnswer.Refuse(412, "healing is not automatic here");
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        await SayLossAsync();
        using var timer = StartTimer(node.Options.CompactionHashCheckInterval, static check => Volatile.Write(ref check._isDue, true));
        using var timerOfAll = StartTimer(node.Options.HashCheckInterval, static check => Volatile.Write(ref check._isAllDue, true));
        while (true)
        {
            await _wake.WaitAsync();
            if (Volatile.Read(ref _stopping))
            {
                return;
            }

            await LookAsync();
        }
    }

    /// <summary>Ends the loop.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    /// <summary>Raises the alarm for what this member lost when it was alone (<see cref="LogSalvage"/>): until it stands nothing is written.</summary>
    private async Task SayLossAsync()
    {
        while (node.Memory.Loss.Length > 0 && !Volatile.Read(ref _stopping))
        {
            if (await ProposeAsync(AlarmRequest.Types.AlarmAction.Activate, Self))
            {
                node.Memory.Loss = "";
                node.Housekeeping.WriteSoon();
                return;
            }

            await Task.Delay(SayAgainAfter, node.Time);
        }
    }

    private async Task LookAsync()
    {
        if (Interlocked.Exchange(ref _doubtedRevision, -1) is var doubted and >= 0)
        {
            await DoubtAsync(doubted);
        }

        var isDue = Interlocked.Exchange(ref _isDue, false);
        var isAllDue = Interlocked.Exchange(ref _isAllDue, false);
        if (isDue && _distrusted is not null)
        {
            await DoubtAsync(node.View.Revision);
        }

        if (node.Facts.LeadingTerm == 0 || node.View.Members.Members.Length == 1)
        {
            return;
        }

        if (isDue)
        {
            await CompareCompactionsAsync();
        }

        if (isAllDue || (isDue && node.View.Alarms.IsCorrupt))
        {
            await CompareAllAsync();
        }
    }

    private ITimer? StartTimer(TimeSpan interval, Action<HashCheck> set) => interval <= TimeSpan.Zero ? null : node.Time.CreateTimer(
        _ =>
        {
            set(this);
            _wake.Set();
        },
        null,
        interval,
        interval);

    /// <summary>The leader: compares what is kept of compactions, the newest first, until one is found that all have.</summary>
    private async Task CompareCompactionsAsync()
    {
        foreach (var own in node.View.CompactionHashes.All.Where(hash => hash.Revision > _checkedRevision).Reverse())
        {
            var peers = await Questions.AskAllAsync(own.Revision, keptOnly: true);
            var verdict = HashVerdict.Judge(Self, own, peers);
            if (verdict.Outcome == HashOutcome.Agreed)
            {
                _checkedRevision = own.Revision;
                node.Logger.CompactionHashesAgreed(peers.Count, own.Revision, own.CompactedRevision);
                return;
            }

            if (verdict.Outcome != HashOutcome.Incomplete)
            {
                await ActAsync(verdict, own);
                return;
            }
        }
    }

    /// <summary>The leader: compares everything, and clears the alarm if there is nothing left to be alarmed about.</summary>
    private async Task CompareAllAsync()
    {
        if (await HashHereAsync(0) is not { } own)
        {
            return;
        }

        var peers = await Questions.AskAllAsync(own.Revision, keptOnly: false);
        var verdict = HashVerdict.Judge(Self, own, peers);
        if (verdict.Outcome == HashOutcome.Agreed)
        {
            node.Logger.HashCheckFinished(peers.Count);
            await ClearAsync();
        }
        else if (verdict.Outcome != HashOutcome.Incomplete)
        {
            await ActAsync(verdict, own);
        }
    }

    /// <summary>The leader: has the odd ones heal themselves; raises the alarm for those that cannot, or for all if nobody knows who is wrong.</summary>
    private async Task ActAsync(HashVerdict verdict, KeySpaceHash own)
    {
        var isOdd = verdict.Outcome == HashOutcome.Odd;
        node.Logger.HashesDiffer(Self, own.Revision, own.CompactedRevision, own.Hash, verdict.Hash, string.Join(',', verdict.Differing.Select(id => $"{id:x}")), isOdd);
        if (!isOdd)
        {
            node.Logger.HashesSplit(Self, own.Revision, own.CompactedRevision, own.Hash);
            await RaiseAsync(0);
        }

        foreach (var id in verdict.Differing.Where(id => id != Self))
        {
            if (!await TellAsync(id, own.Revision) && isOdd)
            {
                await RaiseAsync(id);
            }
        }

        if (isOdd && verdict.Differing.Contains(Self) && !TryStepAside(verdict, own.Revision))
        {
            await RaiseAsync(Self);
        }
    }

    /// <summary>Compares with all others, because somebody says that they differ, or to see whether they still do.</summary>
    private async Task DoubtAsync(long revision)
    {
        if (await HashHereAsync(revision) is not { } own)
        {
            return;
        }

        var verdict = HashVerdict.Judge(Self, own, await Questions.AskAllAsync(own.Revision, keptOnly: false));
        if (TryStepAside(verdict, own.Revision))
        {
            return;
        }

        var agrees = verdict.Outcome == HashOutcome.Agreed || (verdict.Outcome == HashOutcome.Odd && verdict.Agreeing.Contains(Self));
        if (verdict.Outcome == HashOutcome.Split && node.Facts.LeadingTerm == 0)
        {
            Distrust($"at revision {own.Revision} the hash of the key space is {own.Hash:x8} here and another on the leader, and there is none that most members have");
        }
        else if (agrees)
        {
            _distrusted = null;
        }
    }

    private void Distrust(string reason)
    {
        if (_distrusted is null)
        {
            node.Logger.StoreDistrusted(Self, reason);
            node.Hub.EndStreams(requireLeaderOnly: false, NodeError.Corrupt);
        }

        _distrusted = reason;
    }

    private bool TryStepAside(HashVerdict verdict, long revision)
    {
        if (verdict.Outcome != HashOutcome.Odd || verdict.Agreeing.Contains(Self) || node.Options.Heal != HealMode.Auto)
        {
            return false;
        }

        var members = node.View.Members;
        var sources = verdict.Agreeing.SelectMany(id => members.Find(id)?.PeerUrls ?? ImmutableArray<string>.Empty).ToList();
        Aside.Begin($"at revision {revision} the hash of the key space is not {verdict.Hash:x8}, as on {verdict.Agreeing.Length} of {members.Members.Length} members", sources);
        return true;
    }

    private bool CompareAtStart(KeySpaceHash own, PeerHash peer)
    {
        if (peer.Hash is not { } hash)
        {
            node.Logger.InitialHashMissing(Self, own.Revision, peer.Member.Id, peer.Reason);
            return false;
        }

        if (hash.Hash == own.Hash)
        {
            return false;
        }

        if (hash.CompactedRevision != own.CompactedRevision)
        {
            node.Logger.InitialCompactionDiffers(Self, own.Revision, own.CompactedRevision, peer.Member.Id, peer.Revision, hash.CompactedRevision);
            return false;
        }

        node.Logger.InitialHashDiffers(Self, own.Revision, own.CompactedRevision, own.Hash, peer.Member.Id, hash.Hash);
        return true;
    }

    /// <summary>Computes the hash of this member, or finds it if it is kept.</summary>
    /// <returns>Null if there is none: the revision is compacted, or not there yet, or a row is damaged, which is healed first.</returns>
    private async Task<KeySpaceHash?> HashHereAsync(long revision)
    {
        try
        {
            var answer = await HashRun.RunAsync(node, revision, default);
            return answer.Succeeded ? new KeySpaceHash(answer.Value.Hash, answer.Value.CompactRevision, answer.Value.HashRevision) : null;
        }
        catch (CorruptionException)
        {
            // It was noted, and is repaired row by row.
            return null;
        }
    }

    private async Task<bool> TellAsync(ulong id, long revision)
    {
        var call = new PeerCall(DiffersPath, Encoding.UTF8.GetBytes(revision.ToString(CultureInfo.InvariantCulture))) { To = id };
        foreach (var url in node.World.Calls is null ? [] : node.View.Members.Find(id)?.PeerUrls ?? [])
        {
            using var limit = new CancellationTokenSource(AnswerWithin, node.Time);
            if ((await node.World.Calls!.AskAsync(url, call, limit.Token)).Status == 200) // Null has no URLs.
            {
                return true;
            }
        }

        return false;
    }

    private async Task RaiseAsync(ulong id)
    {
        if (!node.View.Alarms.All.Contains(new State.Alarms.Alarm(id, AlarmType.Corrupt)))
        {
            await ProposeAsync(AlarmRequest.Types.AlarmAction.Activate, id);
        }
    }

    private async Task ClearAsync()
    {
        foreach (var alarm in node.View.Alarms.All.Where(static alarm => alarm.Kind == AlarmType.Corrupt))
        {
            if (await ProposeAsync(AlarmRequest.Types.AlarmAction.Deactivate, alarm.MemberId))
            {
                node.Logger.HashesAgreeAgain(alarm.MemberId);
            }
        }
    }

    private async ValueTask<bool> ProposeAsync(AlarmRequest.Types.AlarmAction action, ulong id)
    {
        var request = new AlarmRequest { Action = action, Alarm = AlarmType.Corrupt, MemberID = id };
        return (await node.ProposeOwnAsync(InternalRaftRequest.AlarmFieldNumber, request, default)).Error == NodeError.None;
    }
}
