using System.Buffers.Binary;
using System.Security.Cryptography;
using Cairn.Protocol.Peers;
using Cairn.Server.Healing;
using Cairn.Server.Loops;

namespace Cairn.Server.Recovery;

/// <summary>What a member does that hears no leader: it looks for the others, says what it finds, and does what <see cref="RecoveryPlan"/> decides.</summary>
/// <remarks>Owned by its loop; the rest may be called from any thread. Reads that need no quorum go on all the while.</remarks>
internal sealed class LostQuorum
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // A survey that a person reads is not older than this, while all stays as it is.
    private static readonly TimeSpan SurveyEvery = TimeSpan.FromSeconds(10);

    // A leader that was heard for so many looks is no last message of one that is gone: what a person decided without it is void.
    private const int LooksWithLeader = 5;

    private readonly NodeRuntime _node;
    private readonly RecoverySenses _senses;
    private readonly long _began;
    private readonly Lock _lock = new();
    private volatile DurableEnd _held = new();
    private volatile RecoveryWish? _handedOn;
    private volatile string? _notice;
    private string _lastReason = "";
    private RecoverySurvey? _written;
    private long _writtenAt;
    private int _attempts;
    private int _givingWay;
    private volatile bool _isEnding;
    private int _looksWithLeader;
    private int _promises;
    private bool _hasFiles = true;

    /// <summary>Creates one that does not run yet.</summary>
    /// <param name="node">The node.</param>
    public LostQuorum(NodeRuntime node)
    {
        _node = node;
        _senses = new RecoverySenses(node);
        Others = new OtherCluster(node);
        _began = node.Time.GetTimestamp();
    }

    /// <summary>Hears clusters that claim this member's place.</summary>
    public OtherCluster Others { get; }

    /// <summary>The end of the log, as of when this member last looked without hearing a leader.</summary>
    public DurableEnd Held => _held;

    /// <summary>For how long no leader was heard, in milliseconds; 0 while one is.</summary>
    public long LeaderlessMs => _node.Facts.Leader != 0 ? 0
        : (long)_node.Time.GetElapsedTime(_node.Facts.LeaderLostAt is not 0 and var lost ? lost : _began).TotalMilliseconds;

    /// <summary>What is lost, and what is waited for, for people; null while nothing is, as far as this member knows.</summary>
    public string? Notice => _notice;

    /// <summary>Looks again and again until the node stops.</summary>
    /// <param name="wake">Wakes it, to see that the node stops.</param>
    /// <returns>Completes when the node stops.</returns>
    public async Task RunAsync(AsyncSignal wake)
    {
        using var timer = _node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), wake, Interval, Interval);
        while (!_node.IsStopping)
        {
            await wake.WaitAsync();
            try
            {
                await StepAsync();
            }
            catch (OperationCanceledException)
            {
                // The node stops.
            }
            catch (IOException exception)
            {
                Say($"the disk failed: {exception.Message}");
            }
        }
    }

    /// <summary>Takes over what a person decided at another survivor.</summary>
    /// <param name="wish">What.</param>
    public void Take(RecoveryWish wish) => _handedOn = wish;

    /// <summary>Gives up, durably, what this member may do in its cluster, if the one who asks may found an epoch instead.</summary>
    /// <param name="request">Who asks, and what he holds.</param>
    /// <returns>Yes, or why not.</returns>
    public async Task<PromiseAnswer> PromiseAsync(PromiseRequest request)
    {
        EpochPromise? before;
        lock (_lock)
        {
            before = _node.Memory.Promise;
            if (Refusal(request, before) is { } refusal)
            {
                return new PromiseAnswer { Reason = refusal };
            }

            // Silent from here on, the log can only be shorter than what is compared now.
            _node.Memory.Promise = request.Promise;
            _promises++;
        }

        try
        {
            await MeasureAsync();
        }
        catch (OperationCanceledException)
        {
            _node.Memory.Promise = before;
            return new PromiseAnswer { Reason = "it stops" };
        }

        var own = new Handshake { Held = _held, MemberId = _node.Headers.MemberId };
        if (RecoveryPlan.HoldsLess(new Handshake { Held = request.Held, MemberId = request.MemberId }, own))
        {
            _node.Memory.Promise = before;
            return new PromiseAnswer { Reason = $"it holds more, up to index {_held.LastIndex} of term {_held.LastTerm}" };
        }

        // What a person decided here goes with the promise: that of the founder counts, and whoever thinks otherwise, since the founder is gone, decides anew.
        _handedOn = null;
        RecoveryFiles.DropWish(_node.World.Disk);
        lock (_lock)
        {
            _promises++;
        }

        await _node.Housekeeping.RememberAsync();
        if (!request.Promise.Equals(before))
        {
            _node.Logger.EpochPromised(request.Promise.Epoch, request.Promise.Former, request.Promise.FounderName);
        }

        return new PromiseAnswer { IsPromised = true };
    }

    /// <summary>Leaves the cluster, since it was lost and goes on as another one: this directory asks for a place there.</summary>
    /// <param name="shown">A member of the new epoch.</param>
    /// <param name="url">Where it answered.</param>
    /// <returns>Completes when that is durable; the node ends soon after.</returns>
    public async Task GiveWayAsync(Handshake shown, string url)
    {
        if (Interlocked.Exchange(ref _givingWay, 1) != 0)
        {
            return;
        }

        _node.Memory.Fenced = $"cluster {_node.Headers.ClusterId:x} was lost and goes on as epoch {shown.ClusterId:x}";
        _node.Memory.LastMembers = [.. shown.Members];
        _node.Memory.IsRemoved = true;
        try
        {
            _node.Logger.Superseded(_node.Headers.ClusterId, shown.ClusterId, url, await _node.RaftLoop.CallAsync(static core => core.LastIndex));
            await _node.Housekeeping.RememberAsync();
        }
        catch (OperationCanceledException)
        {
            // The node stops, and writes what it remembers.
        }

        End($"epoch {shown.ClusterId:x} has taken the place of this member's cluster; it asks for a place there");
    }

    private string? Refusal(PromiseRequest request, EpochPromise? before) => (request.Promise, before) switch
    {
        (null, _) => "nothing was asked for",
        var (asked, _) when asked.Former != _node.Headers.ClusterId => "it is of another cluster",
        _ when _node.Facts.Leader != 0 => $"it hears leader {_node.Facts.Leader:x}",
        _ when _node.View.Members.Removed.Contains(request.MemberId) => "it knows the founder as a member that was removed",
        _ when _node.Memory.Decree is not null => "it is about to found an epoch itself",
        var (asked, given) when given is not null && given.Founder != asked.Founder && !request.IsByHand => $"it has promised itself to {given.FounderName}",
        _ => null,
    };

    private async Task StepAsync()
    {
        if (LeaderlessMs < 3 * _node.Options.ElectionTimeout.TotalMilliseconds || _node.Departure.IsUnderWay || _isEnding)
        {
            Forget();
            return;
        }

        _looksWithLeader = 0;
        var promises = Volatile.Read(ref _promises);
        await MeasureAsync();
        var wish = RecoveryFiles.ReadWish(_node.World.Disk);
        if (wish is null && _handedOn is { } handedOn)
        {
            // Before anybody promises because of it: who handed it on forgets it then.
            await RecoveryFiles.WriteWishAsync(_node.World.Disk, handedOn);
            wish = handedOn;
        }

        var facts = await _senses.LookAsync(wish);
        if (_node.Facts.Leader != 0)
        {
            return;
        }

        var decision = RecoveryPlan.Next(facts);
        await ShowAsync(decision.Survey);
        if (Volatile.Read(ref _promises) != promises)
        {
            // It promised itself to another while it looked, and dropped what a person had decided here: what it saw, and what it was to do, is of before that.
            return;
        }

        switch (decision)
        {
            case RecoveryDecision.Wait wait:
                Say(wait.Reason);
                break;
            case RecoveryDecision.Withdraw withdraw:
                if (!TryPromise(null, promises))
                {
                    return;
                }

                await _node.Housekeeping.RememberAsync();
                Say($"takes part in its cluster again: {withdraw.Reason}");
                break;
            case RecoveryDecision.GiveWay way:
                await GiveWayAsync(way.Shown, way.Url);
                break;
            case RecoveryDecision.HandOn on:
                Say(on.Reason);
                await _senses.TellAsync(on.Url, facts.Wish!); // Without one nothing is handed on.
                break;
            case RecoveryDecision.Found found:
                await FoundAsync(found, decision.Survey!, promises); // Who founds knows why.
                break;
        }
    }

    /// <summary>Promises, has all others promise, and decrees the epoch if all did. What is half done is gone on with, by this process or the next.</summary>
    private async Task FoundAsync(RecoveryDecision.Found found, RecoverySurvey survey, int promises)
    {
        if (_node.Memory.Promise is not { } promise || promise.Founder != _node.Process.Incarnation)
        {
            promise = new EpochPromise
            {
                Epoch = NewId(),
                Former = _node.Headers.ClusterId,
                Founder = _node.Process.Incarnation,
                FounderName = _node.Options.Name,
            };
            if (!TryPromise(promise, promises))
            {
                return;
            }

            await _node.Housekeeping.RememberAsync();
            _node.Logger.EpochPromised(promise.Epoch, promise.Former, promise.FounderName);
        }

        await MeasureAsync();
        var request = new PromiseRequest { Promise = promise, Held = _held, MemberId = _node.Headers.MemberId, IsByHand = found.IsByHand };
        foreach (var voice in found.Asked)
        {
            if (await _senses.AskAsync(request, voice) is { } refusal)
            {
                Say($"{survey.Loss}; waiting for {(voice.Name.Length > 0 ? voice.Name : voice.Url)} to agree to epoch {promise.Epoch:x}: {refusal}");
                return;
            }
        }

        if (!TryDecree(Describe(promise, found, survey)))
        {
            // Another survivor asked for its promise meanwhile, and has it.
            return;
        }

        await _node.Housekeeping.RememberAsync();
        End($"cluster {promise.Former:x} was lost: this member founds epoch {promise.Epoch:x}");
    }

    private EpochDecree Describe(EpochPromise promise, RecoveryDecision.Found found, RecoverySurvey survey) => new()
    {
        Promise = promise,
        HighestRevision = found.HighestRevision,
        Evidence = string.Join("; ", survey.Survivors.Select(each => each.HoldsData ? $"{each.Name} holds index {each.LastIndex}, revision {each.Revision}" : $"{each.Name} {each.State}")),
        Loss = survey.Loss,
        IsByHand = found.IsByHand,
        Quarantine = Quarantine.FreeName(_node.World.Disk, "former-epoch", _node.Time.GetUtcNow()),
        AtUnixMs = _node.Time.GetUtcNow().ToUnixTimeMilliseconds(),
    };

    /// <summary>Changes the promise of this member, unless others asked for it since.</summary>
    private bool TryPromise(EpochPromise? promise, int promises)
    {
        lock (_lock)
        {
            if (_promises != promises)
            {
                return false;
            }

            _node.Memory.Promise = promise;
            return true;
        }
    }

    /// <summary>Decrees what this member has promised to found, if it still has: from then on nobody else gets its promise.</summary>
    private bool TryDecree(EpochDecree decree)
    {
        lock (_lock)
        {
            if (!decree.Promise.Equals(_node.Memory.Promise))
            {
                return false;
            }

            _node.Memory.Decree = decree;
            return true;
        }
    }

    private ulong NewId()
    {
        Span<byte> seed = stackalloc byte[4 * sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(seed, _node.Headers.ClusterId);
        BinaryPrimitives.WriteUInt64BigEndian(seed[8..], _node.Process.Incarnation);
        BinaryPrimitives.WriteUInt64BigEndian(seed[16..], _node.Process.Nonce);
        BinaryPrimitives.WriteUInt64BigEndian(seed[24..], (ulong)++_attempts);
        return BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(seed));
    }

    private async Task MeasureAsync()
    {
        var (term, lastTerm, lastIndex) = await _node.RaftLoop.CallAsync(static core => (core.BasicStatus.HardState.Term, core.LastTerm, core.LastIndex));
        _held = new DurableEnd { Term = term, LastTerm = lastTerm, LastIndex = lastIndex };
    }

    private void Say(string reason)
    {
        _notice = reason;
        if (reason != _lastReason)
        {
            _lastReason = reason;
            _node.Logger.RecoveryWaits(reason);
        }
    }

    private async Task ShowAsync(RecoverySurvey? survey)
    {
        if (survey is null || (IsSame(survey, _written) && _node.Time.GetElapsedTime(_writtenAt) < SurveyEvery))
        {
            return;
        }

        (_written, _writtenAt, _hasFiles) = (survey.Clone(), _node.Time.GetTimestamp(), true);
        survey.AtUnixMs = _node.Time.GetUtcNow().ToUnixTimeMilliseconds();
        await RecoveryFiles.WriteSurveyAsync(_node.World.Disk, survey);
    }

    /// <summary>Whether two surveys find the same; that time goes by is no news.</summary>
    private static bool IsSame(RecoverySurvey now, RecoverySurvey? before) =>
        before is not null && now.Loss == before.Loss && now.Obstacle == before.Obstacle;

    private void Forget()
    {
        _notice = null;
        (_lastReason, _written) = ("", null);
        _looksWithLeader = _node.Facts.Leader != 0 ? _looksWithLeader + 1 : 0;
        if (_hasFiles && _looksWithLeader >= LooksWithLeader)
        {
            _handedOn = null;
            RecoveryFiles.Clear(_node.World.Disk);
            _hasFiles = false;
        }
    }

    private void End(string reason)
    {
        _isEnding = true;
        _node.Departure.Reopen(reason);
    }
}
