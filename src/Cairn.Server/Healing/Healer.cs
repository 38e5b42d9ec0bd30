using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.Raft;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Proposals;
using Cairn.State.Healing;
using Cairn.State.Members;

namespace Cairn.Server.Healing;

/// <summary>Mends the membership while this member leads: looks, carries out the one step that <see cref="HealPlan"/> wants by an ordinary proposal, looks again.</summary>
/// <remarks>Owned by its loop; the rest may be called from any thread.</remarks>
internal sealed class Healer
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly NodeRuntime _node;
    private readonly HealPolicy _policy;
    private readonly Applicants _applicants;
    private readonly HealSenses _senses;
    private readonly AsyncSignal _wake = new();
    private ImmutableHashSet<string> _approved = [];
    private HealNotice[] _notices = [];

    /// <summary>Creates a healer that does not run yet.</summary>
    /// <param name="node">The node.</param>
    public Healer(NodeRuntime node)
    {
        _node = node;
        _policy = new HealPolicy
        {
            Mode = node.Options.Heal,
            ReplaceAfter = node.Options.HealReplaceAfter,
            ReachableWithin = 2 * node.Options.ElectionTimeout,
        };
        _applicants = new Applicants(_policy.GiveUpAfter + _policy.FreshWithin);
        _senses = new HealSenses(node, _policy, _applicants);
    }

    /// <summary>What is not as it should be, and what is waited for; empty on a member that does not lead.</summary>
    public IReadOnlyList<HealNotice> Notices => Volatile.Read(ref _notices);

    /// <summary>Looks again and again until the node stops.</summary>
    /// <returns>Completes when the node stops.</returns>
    public async Task RunAsync()
    {
        using var timer = _node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, Interval, Interval);
        while (!_node.IsStopping)
        {
            await _wake.WaitAsync();
            while (!_node.IsStopping && await StepAsync())
            {
                // One step may make room for the next.
            }
        }
    }

    /// <summary>Wakes the loop, to see that the node stops.</summary>
    public void Stop() => _wake.Set();

    /// <summary>Hears somebody who asks to be taken in, while this member leads.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="isOfThisCluster">Whether the one who asks has the cluster's token.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<RejoinAnswer> HearAsync(RejoinRequest request, bool isOfThisCluster)
    {
        if (request.Speaker.Standing == Standing.Evicted)
        {
            return await HearRemovedAsync(request, isOfThisCluster);
        }

        if (request.Speaker.Standing == Standing.Fenced)
        {
            return HearFenced(request.Speaker, isOfThisCluster);
        }

        var incarnation = request.Speaker.Incarnation;
        if (_node.View.Members.Members.Any(member => member.Incarnation == incarnation))
        {
            return new RejoinAnswer { IsAdmitted = true, Reason = "it is a member" };
        }

        _applicants.Note(request, isOfThisCluster, _senses.Now);
        _wake.Set();
        return new RejoinAnswer { Reason = Notices.FirstOrDefault(notice => notice.Incarnation == incarnation)?.Text ?? "the leader looks into it" };
    }

    /// <summary>Hears a process that some member does not hear, this one perhaps; while this member leads, it has the cluster decide.</summary>
    /// <param name="shown">What the process shows.</param>
    /// <param name="own">What this member thinks of it.</param>
    public void HearDispute(Handshake shown, in Judgement own)
    {
        if (_node.Facts.LeadingTerm == 0 || own.Verdict == JudgementKind.Refused)
        {
            return;
        }

        var process = new ProcessIdentity(shown.Incarnation, shown.StartCounter, shown.Nonce);
        if (own.IsAccepted && shown.Disputes.Count == 0)
        {
            _senses.Forget(process);
            return;
        }

        var reasons = shown.Disputes.Select(static dispute => dispute.Reason);
        _senses.Note(new DisputedProcess
        {
            MemberId = shown.MemberId,
            Name = shown.Name,
            Process = process,
            IsHeard = own.IsAccepted,
            IsDeferred = own.Verdict == JudgementKind.Deferred,
            IsBehind = own.IsBehind || shown.Disputes.Any(static dispute => dispute.IsBehind),
            Evidence = string.Join("; ", own.IsAccepted ? reasons : reasons.Append($"the leader: {own.Reason}")),
            AskedAt = _senses.Now,
        });
        _wake.Set();
    }

    /// <summary>Answers a fenced directory, which asks whether it is replaced if it moves its data aside. If another process speaks for its member, it is a copy, and has no place, unless it
    /// took that of somebody else, who is gone: then it comes back as that one.</summary>
    private RejoinAnswer HearFenced(Handshake speaker, bool isOfThisCluster)
    {
        var members = _node.View.Members;
        if (speaker.MemberId == 0 && members.Members.FirstOrDefault(member => member.PeerUrls.Any(speaker.PeerUrls.Contains)) is { } holder)
        {
            // What told its member is damaged.
            speaker = new Handshake(speaker) { MemberId = holder.Id };
        }

        var obstacle = !isOfThisCluster ? "it has another cluster token"
            : _policy.Mode == HealMode.Off ? "healing is switched off"
            : TookAnotherPlace(speaker) ? null
            : members.Removed.Contains(speaker.MemberId) ? RemovedMembers.ObstacleOf(speaker, members, _node.View.Healing)
            : members.Find(speaker.MemberId) is null ? $"this cluster has no member {speaker.MemberId:x}"
            : IsAlive(speaker.MemberId) ? "its member is alive elsewhere: this directory is a copy; give it a name and a place of its own, or remove it"
            : null;
        return new RejoinAnswer { HasPlace = obstacle is null, Reason = obstacle ?? "its member is replaced" };
    }

    /// <summary>Whether a directory runs at the address of another member than its own, who is gone, or was; or at that of nobody, while somebody has none.</summary>
    private bool TookAnotherPlace(Handshake speaker)
    {
        var (members, vacancies) = (_node.View.Members.Members, _node.View.Healing.Vacancies);
        var isUnexpected = Displaced.IsUnexpected(speaker.Name, speaker.PeerUrls, _node.View.Members, _node.View.Healing, _node.Options.InitialCluster);
        return members.Any(other => other.Id != speaker.MemberId && !IsAlive(other.Id) && (other.PeerUrls.Any(speaker.PeerUrls.Contains) || (isUnexpected && Displaced.Is(other))))
            || vacancies.Any(place => place.FilledBy == 0 && place.MemberId != speaker.MemberId
                && (place.PeerUrls.Any(speaker.PeerUrls.Contains) || (isUnexpected && Displaced.Is(place, _node.View.Members))));
    }

    private bool IsAlive(ulong memberId) => memberId == _node.Headers.MemberId || _node.Fence.IsAlive(memberId);

    /// <summary>Answers a member that was removed and holds its data: it asks whether it would be taken in if it moved that aside.</summary>
    private async ValueTask<RejoinAnswer> HearRemovedAsync(RejoinRequest request, bool isOfThisCluster)
    {
        var (speaker, view) = (request.Speaker, _node.View);
        if (!isOfThisCluster || _policy.Mode == HealMode.Off)
        {
            return new RejoinAnswer { Reason = isOfThisCluster ? "healing is switched off" : "it has another cluster token" };
        }

        if (request.IsByHand && view.Healing.Evicted.Contains(speaker.MemberId))
        {
            var readmit = new ReadmitMember { MemberId = speaker.MemberId, Name = speaker.Name };
            readmit.PeerUrls.AddRange(speaker.PeerUrls);
            await RecordAsync(new HealingRequest { Readmit = readmit });
            view = _node.View;
        }

        // The copy of a disk stays one when its member is removed.
        var wasMember = view.Members.Removed.Contains(speaker.MemberId) || view.Healing.FormerEpochs.Contains(speaker.ClusterId);
        var obstacle = wasMember && !view.Healing.Evicted.Contains(speaker.MemberId) && TookAnotherPlace(speaker) ? null : RemovedMembers.ObstacleOf(speaker, view.Members, view.Healing);
        return new RejoinAnswer { HasPlace = obstacle is null, Reason = obstacle ?? "there is a place" };
    }

    /// <summary>Lets healing do what it proposes, once.</summary>
    /// <param name="key">The proposal's.</param>
    /// <returns>False if there is no such proposal.</returns>
    public bool Approve(string key)
    {
        if (!Notices.Any(notice => notice.Key == key && notice.Proposal is not null))
        {
            return false;
        }

        ImmutableInterlocked.Update(ref _approved, static (all, key) => all.Add(key), key);
        _wake.Set();
        return true;
    }

    private async Task<bool> StepAsync()
    {
        var view = _node.Facts.LeadingTerm == 0 || _node.Departure.IsUnderWay ? null : await _senses.LookAsync(Volatile.Read(ref _approved));
        if (view is null)
        {
            Volatile.Write(ref _notices, []);
            return false;
        }

        var decision = HealPlan.Next(view, _policy, _senses.Now);
        Show(decision.Notices);
        return decision.Step is { } step && await CarryOutAsync(step, view);
    }

    /// <summary>Keeps what is waited for, and says what was not said before.</summary>
    private void Show(ImmutableArray<HealNotice> notices)
    {
        var before = Notices;
        foreach (var notice in notices.Where(notice => !before.Any(other => other.Text == notice.Text)))
        {
            _node.Logger.HealWaits(notice.Text);
        }

        Volatile.Write(ref _notices, [.. notices]);
    }

    private async Task<bool> CarryOutAsync(HealStep step, ClusterView view)
    {
        var began = _node.Time.GetTimestamp();
        var error = await ProposeAsync(step, view);
        if (error != NodeError.None)
        {
            _node.Logger.HealRefused(TextOf(step), error);
            return false;
        }

        Report(step, view, _node.Time.GetElapsedTime(began));
        return true;
    }

    private async Task<NodeError> ProposeAsync(HealStep step, ClusterView view) => step switch
    {
        HealStep.SetTargetSize set => await RecordAsync(new HealingRequest
        {
            SetTargetSize = new SetTargetSize { Size = (uint)set.Size, IfUnset = true, Vacancies = { view.Healing.Vacancies.Select(static place => place.ToMessage()) } },
        }),
        HealStep.Begin begin => await RecordAsync(new HealingRequest { Begin = Named(begin.Heal, view.Members).ToMessage() }),
        HealStep.Remove remove => await ChangeAsync(id => new ConfChange(id, ConfChangeType.RemoveNode, remove.MemberId)),
        HealStep.AddLearner { Heal: var heal } => await ChangeAsync(
            id => new ConfChange(id, ConfChangeType.AddLearnerNode, heal.NewMember, MemberJson.Encode(NewMemberOf(heal)))),
        HealStep.Promote promote => await ChangeAsync(
            id => new ConfChange(id, ConfChangeType.AddNode, promote.MemberId, MemberJson.EncodePromotion(promote.MemberId))),
        HealStep.End end => await RecordAsync(new HealingRequest
        {
            End = new EndHeal { HealId = end.HealId, Outcome = end.Outcome, Result = end.Result, AtUnixMs = _node.Time.GetUtcNow().ToUnixTimeMilliseconds() },
        }),
        HealStep.Clear clear => await ClearAsync(clear.Heal),
        HealStep.Judge judge => await RecordAsync(new HealingRequest { Verdict = judge.Verdict }),
        _ => throw Invariant.Unreachable($"{step}"),
    };

    private async Task<NodeError> ClearAsync(HealRecord heal)
    {
        var error = await ChangeAsync(id => new ConfChange(id, ConfChangeType.RemoveNode, heal.OldMember));
        if (error == NodeError.None && _node.View.Members.Members.All(member => member.Incarnation != 0))
        {
            var now = _node.Time.GetUtcNow().ToUnixTimeMilliseconds();
            var done = heal with { Outcome = HealOutcome.Healed, Result = $"member {heal.OldMember:x} was removed", BeganAtMs = now, EndedAtMs = now };
            await RecordAsync(new HealingRequest { Note = done.ToMessage() });
        }

        return error;
    }

    private async Task<NodeError> RecordAsync(HealingRequest request) =>
        Refusal(await _node.ProposeOwnAsync(InternalRaftRequest.HealingFieldNumber, request, default));

    private async Task<NodeError> ChangeAsync(Func<ulong, ConfChange> make) => Refusal(await _node.Changes.ProposeAsync(make, default));

    private static NodeError Refusal(in ProposalOutcome outcome) =>
        outcome.Error != NodeError.None ? outcome.Error : outcome.Result!.Value.Error.ToNodeError();

    /// <summary>Gives the one who joins an id that nobody has or had: etcd's, of its URLs and the present second, or the next that is free.</summary>
    private HealRecord Named(HealRecord heal, MemberTable members)
    {
        var now = _node.Time.GetUtcNow();
        if (heal.NewMember != 0)
        {
            // A spare learner, which has one.
            return heal with { BeganAtMs = now.ToUnixTimeMilliseconds() };
        }

        var id = ClusterIds.OfMember(heal.PeerUrls, token: "", now.ToUnixTimeSeconds());
        for (var i = 1; members.Find(id) is not null || members.Removed.Contains(id); i++)
        {
            id = ClusterIds.OfMember(heal.PeerUrls, token: "", now.ToUnixTimeSeconds() + i);
        }

        return heal with { NewMember = id, BeganAtMs = now.ToUnixTimeMilliseconds() };
    }

    private static MemberRecord NewMemberOf(HealRecord heal) =>
        new() { Id = heal.NewMember, PeerUrls = [.. heal.PeerUrls.Order(StringComparer.Ordinal)], IsLearner = true, IsStandby = heal.IsStandby, Incarnation = heal.Incarnation };

    private void Report(HealStep step, ClusterView view, TimeSpan took)
    {
        var heal = view.Healing.Current ?? _node.View.Healing.Current;
        switch (step)
        {
            case HealStep.Begin when heal is not null:
                _node.Metrics.HealsBegun.Add();
                ImmutableInterlocked.Update(ref _approved, static all => all.Clear());
                _node.Logger.HealBegan(
                    heal.Id, $"{heal.Kind}", heal.OldMember, heal.NewMember, heal.Detected, heal.Evidence, heal.Decision, heal.Safety);
                break;
            case HealStep.End end when heal is not null:
                (end.Outcome == HealOutcome.Healed ? _node.Metrics.HealsDone : _node.Metrics.HealsGivenUp).Add();
                _applicants.Clear();
                _senses.LastHealEndedAt = _senses.Now;
                _senses.GivenUpInARow = end.Outcome == HealOutcome.Healed ? 0 : _senses.GivenUpInARow + 1;
                var whole = _node.Time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(heal.BeganAtMs);
                _node.Logger.HealEnded(end.HealId, $"{end.Outcome}", end.Result, whole);
                break;
            default:
                _node.Logger.HealStepped(heal?.Id ?? 0, TextOf(step), took);
                break;
        }
    }

    private static string TextOf(HealStep step) => step switch
    {
        HealStep.SetTargetSize set => $"set the target size to {set.Size}",
        HealStep.Begin begin => $"begin: {begin.Heal.Decision}",
        HealStep.Remove remove => $"remove member {remove.MemberId:x}",
        HealStep.AddLearner add => $"add {add.Heal.NewMember:x} ({string.Join(',', add.Heal.PeerUrls)}) as a learner",
        HealStep.Promote promote => $"promote learner {promote.MemberId:x}",
        HealStep.Judge { Verdict: var verdict } => $"judge process {verdict.Nonce:x} of member {verdict.MemberId:x}: {verdict.Heal.Decision}; {verdict.Heal.Evidence}",
        HealStep.Clear clear => $"remove member {clear.Heal.OldMember:x}, which never started",
        _ => "end the heal",
    };
}
