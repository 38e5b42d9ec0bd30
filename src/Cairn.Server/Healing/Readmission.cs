using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.Server.Founding;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Requests;
using Cairn.Storage.Manifest;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Healing;

/// <summary>What a start does on the directory of a member that was removed: it asks whether there is a place for it, and only then moves its data to quarantine.</summary>
/// <remarks>
/// The removal was committed by a quorum, so nothing that this directory promised matters any more; but its data is what somebody may want to look at, so it stays
/// where it is as long as it is of no use to move it. An evicted member asks only if a person wished it.
/// </remarks>
internal sealed class Readmission
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RepeatEvery = TimeSpan.FromSeconds(60);

    private readonly NodeOptions _options;
    private readonly NodeWorld _world;
    private readonly MemberMemory _memory;
    private readonly Handshake _shown;
    private readonly ILogger _logger;
    private readonly string[] _knownUrls;
    private readonly TimeSpan _missedAfter;
    private bool _hasToldOthers;

    /// <summary>Prepares; nothing is asked yet.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="identity">Who the directory was.</param>
    /// <param name="process">This process.</param>
    /// <param name="memory">What the member remembers.</param>
    public Readmission(NodeOptions options, NodeWorld world, ManifestIdentity identity, ProcessIdentity process, MemberMemory memory)
    {
        _options = options;
        _world = world;
        _memory = memory;
        _missedAfter = 3 * options.ElectionTimeout;
        _logger = world.LoggerFactory.CreateLogger("cairn.server");
        _shown = new Handshake
        {
            Version = Founder.ProtocolVersion,
            Name = options.Name,
            TokenHash = ByteString.CopyFrom(FoundingRecords.HashToken(identity.Token)),
            ClusterId = identity.ClusterId,
            MemberId = identity.MemberId,
            Incarnation = process.Incarnation,
            StartCounter = process.StartCounter,
            Nonce = process.Nonce,
            Standing = memory.IsEvicted || memory.IsRemoved ? Standing.Evicted : Standing.Fenced,
            End = new DurableEnd(),
        };
        _shown.PeerUrls.AddRange(options.PeerUrls);
        var listed = options.InitialCluster.Where(member => member.Name != options.Name).SelectMany(member => member.PeerUrls);
        _knownUrls = [.. memory.LastMembers.SelectMany(member => member.PeerUrls).Concat(listed).Except(options.PeerUrls).Distinct()];
    }

    /// <summary>Where the others may be: where they were when this directory was last heard, where the flags say, and where those are who showed themselves meanwhile.</summary>
    private IEnumerable<string> Urls => _knownUrls.Union(_world.Reception.Callers, StringComparer.Ordinal);

    /// <summary>Waits until there is a place.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>True when the data is to be moved aside; false if the directory is to be opened as it is, because the others may need its vote.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<bool> WaitForPlaceAsync(CancellationToken cancelled)
    {
        _world.Reception.Open((call, _) => new(Answer(call)));
        while (true)
        {
            cancelled.ThrowIfCancellationRequested();
            if (_shown.Standing == Standing.Evicted && await IsMissedAsync(cancelled))
            {
                _world.Reception.StopWaiting();
                return false;
            }

            var isWished = _world.Disk.FileExists(DataDirectory.RejoinWish);
            if (_memory.IsEvicted && !isWished)
            {
                await TellOthersAsync(cancelled);
                Say("this member was sent away from its cluster for good; `cairn member rejoin --data-dir` lets it ask for a new place, and keeps its data in quarantine");
            }
            else
            {
                var answer = await AskAsync(isWished, cancelled);
                if (answer is { HasPlace: true })
                {
                    _world.Reception.StopWaiting();
                    return true;
                }

                var what = _shown.Standing == Standing.Fenced ? $"this data directory is fenced ({_memory.Fenced})" : "this member was removed from its cluster";
                Say($"{what} and asks to be taken in again: {answer?.Reason ?? $"nobody answers at {string.Join(',', Urls)}"}");
            }

            await Task.Delay(Pause, _world.Time, cancelled);
        }
    }

    /// <summary>Waits until the others have a leader, who can give this directory a place once it is empty: before that its data may be the only copy.</summary>
    /// <param name="reason">Why it is to be emptied.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Completes when the data is to be moved aside.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task WaitForLeaderAsync(string reason, CancellationToken cancelled)
    {
        _world.Reception.Open((call, _) => new(Answer(call)));
        while (await AskAsync(isWished: false, cancelled) is not { HasLeader: true })
        {
            Say($"{reason}; what this member promised may be lost, so it comes back as a new one, once the others have a leader");
            await Task.Delay(Pause, _world.Time, cancelled);
        }

        _world.Reception.StopWaiting();
    }

    private PeerAnswer Answer(PeerCall call)
    {
        if (call.Path != Founder.HandshakePath)
        {
            return PeerAnswer.None;
        }

        _world.Reception.NoteCaller(PeerBody.TryParse(Handshake.Parser, call.Body.GetValueOrDefault()), _shown.TokenHash);
        return new PeerAnswer(200, new HandshakeAnswer { Speaker = _shown, Verdict = Verdict.Deferred, Reason = "this member has no place in its cluster" }.ToByteArray());
    }

    private void Say(string reason)
    {
        if (_world.Reception.WaitFor(reason, _world.Time, RepeatEvery))
        {
            _logger.ReadmissionWaits(reason);
        }
    }

    /// <summary>Whether somebody who has no leader still counts this member among the voters: it died before its disk held the removal, and may need one vote more. To give it is safe, since
    /// the log is as it was: a member that was removed is then one that has not learned of it.</summary>
    private async Task<bool> IsMissedAsync(CancellationToken cancelled)
    {
        foreach (var url in _memory.Fenced.Length > 0 ? [] : Urls)
        {
            var answer = await CallAsync(url, new PeerCall(Founder.HandshakePath, new Handshake().ToByteArray()), cancelled);
            if (answer.Status == 200 && PeerBody.TryParse(HandshakeAnswer.Parser, answer.Body)?.Speaker is { Standing: Standing.Member } other
                && other.ClusterId == _shown.ClusterId && other.LeaderlessMs >= _missedAfter.TotalMilliseconds
                && other.Members.Any(member => member.Id == _shown.MemberId && !member.IsLearner && (member.Incarnation == _shown.Incarnation || member.Incarnation == 0)))
            {
                _logger.ReadmissionWaits($"it was removed from its cluster, but {other.Name} has no leader and does not know of the removal: it votes until the others do");
                return true;
            }
        }

        return false;
    }

    private async Task<RejoinAnswer?> AskAsync(bool isWished, CancellationToken cancelled)
    {
        var request = new RejoinRequest { Speaker = _shown, ReplacedId = _shown.MemberId, IsByHand = isWished };
        foreach (var url in Urls)
        {
            var answer = await CallAsync(url, new PeerCall(PeerRequests.RejoinPath, request.ToByteArray()), cancelled);
            if (answer.Status == 200)
            {
                return RejoinAnswer.Parser.ParseGuarded(answer.Body.Span);
            }
        }

        return null;
    }

    /// <summary>Until somebody has heard it, the cluster is meant to be as large as before.</summary>
    private async Task TellOthersAsync(CancellationToken cancelled)
    {
        var call = new PeerCall(PeerRequests.EvictPath, new EvictMember { MemberId = _shown.MemberId }.ToByteArray()) { ClusterId = _shown.ClusterId };
        foreach (var url in _hasToldOthers ? [] : Urls)
        {
            if ((await CallAsync(url, call, cancelled)).Status == 200)
            {
                _hasToldOthers = true;
                return;
            }
        }
    }

    private async ValueTask<PeerAnswer> CallAsync(string url, PeerCall call, CancellationToken cancelled)
    {
        if (_world.Calls is not { } calls)
        {
            return PeerAnswer.None;
        }

        using var limit = new CancellationTokenSource(AnswerWithin, _world.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancelled);
        return await calls.AskAsync(url, call, both.Token);
    }
}
