using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Recovery;
using Cairn.Server.Requests;
using Cairn.State.Members;
using Cairn.Storage.Manifest;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Founding;

/// <summary>Finds a data directory without a cluster one: asks everybody who is listed, does what <see cref="FoundingPlan"/> decides, and asks again.</summary>
/// <remarks>Meanwhile it answers the others, and only with what is durable.</remarks>
internal sealed class Founder
{
    /// <summary>Path at which members show themselves.</summary>
    public const string HandshakePath = "/cairn/handshake";

    /// <summary>The version of what is said there.</summary>
    public const uint ProtocolVersion = 1;

    // Soon enough that nobody waits for it who starts some members; a question costs next to nothing.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    // What is waited for is said again so often.
    private static readonly TimeSpan RepeatEvery = TimeSpan.FromSeconds(5);

    private readonly NodeOptions _options;
    private readonly NodeWorld _world;
    private readonly ManifestStore _manifests;
    private readonly ProcessIdentity _process;
    private readonly MemberMemory _memory;
    private readonly ILogger _logger;
    private ImmutableArray<MemberRecord> _listed;
    private volatile Handshake _shown;
    private volatile EpochPromise? _asked;

    /// <summary>Prepares; nothing is asked or answered yet.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="manifests">The manifests, of which the newest says that the directory is empty.</param>
    /// <param name="process">This process.</param>
    /// <param name="memory">What the member remembers.</param>
    /// <exception cref="StartRefusedException">The list does not name this member.</exception>
    public Founder(NodeOptions options, NodeWorld world, ManifestStore manifests, ProcessIdentity process, MemberMemory memory)
    {
        _options = options;
        _world = world;
        _manifests = manifests;
        _process = process;
        _memory = memory;
        _logger = world.LoggerFactory.CreateLogger("cairn.server");
        _listed = FoundingRecords.Listed(options);
        _shown = Describe();
        if (!_listed.Any(member => member.Name == options.Name))
        {
            throw new StartRefusedException(
                $"couldn't find local name \"{options.Name}\" in the initial cluster configuration: add {options.Name}=<its peer URL> to --initial-cluster, or correct --name");
        }
    }

    /// <summary>Waits until the member may start.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Either <see cref="FoundingDecision.Start"/> or <see cref="FoundingDecision.Join"/>.</returns>
    public async Task<FoundingDecision> RunAsync(CancellationToken cancelled)
    {
        _world.Reception.Open((call, _) => new(Answer(call)));
        var began = _world.Time.GetTimestamp();
        while (true)
        {
            var findings = LearnNames(await AskAllAsync(cancelled));
            cancelled.ThrowIfCancellationRequested();
            await PromiseAsync();
            var hasListened = _world.Time.GetElapsedTime(began) >= _options.ListenBeforeFounding;
            var decision = FoundingPlan.Decide(Facts(findings, hasListened));
            switch (decision)
            {
                case FoundingDecision.Agree agree:
                    await AgreeAsync(agree.Record);
                    break;
                case FoundingDecision.Wait wait:
                    await WaitAsync(wait.Reason, cancelled);
                    break;
                case FoundingDecision.AskForPlace ask:
                    await WaitAsync($"{ask.Reason}; asked to be taken in: {await AskForPlaceAsync(ask, cancelled)}", cancelled);
                    break;
                case FoundingDecision.Start start when !start.Record.Equals(_memory.Founding):
                    await AgreeAsync(start.Record);
                    _world.Reception.StopWaiting();
                    return decision;
                default:
                    _world.Reception.StopWaiting();
                    return decision;
            }
        }
    }

    /// <summary>Those who are listed by their addresses go by the names that they give themselves, so that all who found a cluster list the same.</summary>
    private ImmutableArray<Finding> LearnNames(ImmutableArray<Finding> findings)
    {
        foreach (var finding in _options.LearnsNames ? findings : [])
        {
            if (finding is { Name.Length: > 0, Shown: { Name.Length: > 0, Standing: Standing.Empty or Standing.Founding } shown } && !_listed.Any(member => member.Name == shown.Name))
            {
                _listed = [.. _listed.Select(member => member.Name == finding.Name ? member with { Name = shown.Name } : member)];
                findings = findings.Replace(finding, finding with { Name = shown.Name });
                _shown = Describe();
            }
        }

        return findings;
    }

    private FoundingFacts Facts(ImmutableArray<Finding> findings, bool hasListened) => new()
    {
        Name = _options.Name,
        PeerUrls = [.. _listed.First(member => member.Name == _options.Name).PeerUrls],
        Listed = _listed,
        TokenHash = FoundingRecords.HashToken(_options.ClusterToken),
        IsJoining = _options.IsJoining || _options.IsStandby || _memory.Replaces != 0 || _memory.Promise is not null,
        Rule = _options.Bootstrap,
        Incarnation = _process.Incarnation,
        Agreed = _memory.Founding,
        HasListened = hasListened,
        Findings = findings,
    };

    private Handshake Describe()
    {
        var shown = new Handshake
        {
            Version = ProtocolVersion,
            Name = _options.Name,
            TokenHash = ByteString.CopyFrom(FoundingRecords.HashToken(_options.ClusterToken)),
            Incarnation = _process.Incarnation,
            StartCounter = _process.StartCounter,
            Nonce = _process.Nonce,
            Standing = _memory.Founding is null ? Standing.Empty : Standing.Founding,
            End = new DurableEnd(),
            Founding = _memory.Founding,
            Promise = _memory.Promise,
        };
        shown.PeerUrls.AddRange(_options.PeerUrls);
        shown.Listed.AddRange(_listed.Select(FoundingRecords.Write));
        return shown;
    }

    private PeerAnswer Answer(PeerCall call) => call.Path switch
    {
        HandshakePath => Greet(PeerBody.TryParse(Handshake.Parser, call.Body.GetValueOrDefault())),
        RecoveryPaths.Promise when PeerBody.TryParse(PromiseRequest.Parser, call.Body.GetValueOrDefault()) is { Promise: { } asked } => Answer(asked),
        _ => PeerAnswer.None,
    };

    private PeerAnswer Greet(Handshake? shown)
    {
        _world.Reception.NoteCaller(shown, _shown.TokenHash);
        return new PeerAnswer(200, new HandshakeAnswer { Speaker = _shown, Verdict = Verdict.Deferred, Reason = "this member has no cluster yet" }.ToByteArray());
    }

    /// <summary>Says yes to a new epoch only when that is durable: asked for the first time, it notes the question.</summary>
    private PeerAnswer Answer(EpochPromise asked)
    {
        _asked = asked;
        var isPromised = asked.Equals(_shown.Promise);
        return new PeerAnswer(200, new PromiseAnswer { IsPromised = isPromised, Reason = isPromised ? "" : "it is being noted" }.ToByteArray());
    }

    /// <summary>Promises to wait for an epoch, if somebody asked for it: from then on this directory founds no cluster.</summary>
    private async Task PromiseAsync()
    {
        if (_asked is { } asked && !asked.Equals(_memory.Promise))
        {
            _memory.Promise = asked;
            await _manifests.WriteAsync(_manifests.Newest! with { MemberState = _memory.Encode() }); // The directory was identified.
            _shown = Describe();
            _logger.EpochPromised(asked.Epoch, asked.Former, asked.FounderName);
        }
    }

    private async Task<ImmutableArray<Finding>> AskAllAsync(CancellationToken cancelled)
    {
        var others = _listed.Where(member => member.Name != _options.Name).Select(member => (member.Name, Urls: member.PeerUrls.AsEnumerable())).ToList();
        var known = _listed.SelectMany(member => member.PeerUrls).ToHashSet(StringComparer.Ordinal);
        var heard = _world.Reception.Callers.Concat(_memory.LastMembers.SelectMany(member => member.PeerUrls)).Distinct();
        others.AddRange(heard.Where(url => !known.Contains(url)).Select(url => ("", (IEnumerable<string>)[url])));

        // All are asked at once; then the answers are collected.
        var asked = others.Select(other => AskAsync(other.Name, other.Urls, cancelled)).ToList();
        var findings = ImmutableArray.CreateBuilder<Finding>(asked.Count);
        foreach (var finding in asked)
        {
            findings.Add(await finding);
        }

        return findings.MoveToImmutable();
    }

    private async Task<Finding> AskAsync(string name, IEnumerable<string> urls, CancellationToken cancelled)
    {
        var finding = new Finding(name, string.Join(',', urls));
        foreach (var url in _world.Calls is null ? [] : urls)
        {
            finding = await AskAsync(new Finding(name, url), cancelled);
            if (finding.HasAnswered)
            {
                break;
            }
        }

        return finding;
    }

    private async Task<Finding> AskAsync(Finding asked, CancellationToken cancelled)
    {
        var answer = await CallAsync(asked.Url, new PeerCall(HandshakePath, _shown.ToByteArray()), cancelled);
        if (answer.Status == 200 && PeerBody.TryParse(HandshakeAnswer.Parser, answer.Body) is { Speaker: { } shown })
        {
            return asked with { Shown = shown };
        }

        if (answer.Status is not 404)
        {
            return asked;
        }

        // Somebody answers who does not know the question: etcd.
        var members = await CallAsync(asked.Url, new PeerCall("/members"), cancelled);
        return members.Status == 200 && members.ClusterId != 0 && MemberPages.TryRead(members.Body, out var records)
            ? asked with { EtcdMembers = records, EtcdClusterId = members.ClusterId }
            : asked;
    }

    private async Task<string> AskForPlaceAsync(FoundingDecision.AskForPlace ask, CancellationToken cancelled)
    {
        var request = new RejoinRequest { Speaker = _shown, ReplacedId = ask.ReplacedId != 0 ? ask.ReplacedId : _memory.Replaces };
        var answer = await CallAsync(ask.Url, new PeerCall(PeerRequests.RejoinPath, request.ToByteArray()), cancelled);
        return answer.Status == 200 && PeerBody.TryParse(RejoinAnswer.Parser, answer.Body) is { } said ? said.Reason : "no answer";
    }

    private async ValueTask<PeerAnswer> CallAsync(string url, PeerCall call, CancellationToken cancelled)
    {
        using var limit = new CancellationTokenSource(AnswerWithin, _world.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancelled);
        return await _world.Calls!.AskAsync(url, call, both.Token); // Who cannot ask, does not come here.
    }

    /// <summary>Makes the agreement durable before anybody hears of it.</summary>
    private async Task AgreeAsync(FoundingRecord record)
    {
        _memory.Founding = record;
        await _manifests.WriteAsync(_manifests.Newest! with { MemberState = _memory.Encode() }); // The directory was identified.
        _shown = Describe();
        _logger.FoundingAgreed(record.ClusterId, FoundingRecords.IdOf(record));
    }

    private async Task WaitAsync(string reason, CancellationToken cancelled)
    {
        if (_world.Reception.WaitFor(reason, _world.Time, RepeatEvery))
        {
            _logger.FoundingWaits(reason);
        }

        await Task.Delay(Pause, _world.Time, cancelled);
    }
}
