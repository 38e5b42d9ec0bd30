using System.Collections.Immutable;
using System.Globalization;
using Cairn.Protocol.Peers;
using Cairn.State.Members;

namespace Cairn.Server.Recovery;

/// <summary>Decides what a member does that hears no leader. Pure: facts in, one decision out.</summary>
/// <remarks>
/// <para>
/// Without a quorum nothing can be decided in the old cluster, so a new one is founded, from the survivor that holds most, as a single decree: each voter that
/// answers, survivor or empty, promises to take no part in the old one any more; of the others a person asserts that they are gone. Whoever returns all the same is
/// of a former epoch, and is not heard.
/// </para>
/// <para>Without a person only if nobody is silent: all voters that hold nothing attest it. Whoever holds data of this cluster and contradicts stops it.</para>
/// </remarks>
internal static class RecoveryPlan
{
    /// <summary>Decides.</summary>
    /// <param name="facts">What is known.</param>
    /// <returns>The next step.</returns>
    public static RecoveryDecision Next(RecoveryFacts facts)
    {
        var self = facts.Self;
        if (facts.Voices.FirstOrDefault(voice => voice.Shown is { Standing: Standing.Member } shown && shown.FormerEpochs.Contains(self.ClusterId)) is { } follower)
        {
            return new RecoveryDecision.GiveWay(follower.Shown!, follower.Url); // It was just looked at.
        }

        if (self.Standing == Standing.Fenced)
        {
            return new RecoveryDecision.Wait("this directory is fenced");
        }

        var council = Council.Of(facts);
        if (council.Voters.IsEmpty)
        {
            // Nobody can be silent of whom it has not heard: alone, it would found an empty cluster beside the one that it was to join.
            return new RecoveryDecision.Wait("this member was not told yet who the voters of its cluster are");
        }

        if (council.Live.Length > council.Voters.Length / 2 && council.Live.All(shown => shown.Promise is null))
        {
            return new RecoveryDecision.Wait($"{council.Live.Length} of {council.Voters.Length} voters answer: they elect a leader");
        }

        var survey = council.Survey();
        return VoidPromise(council, self) is { } reason ? new RecoveryDecision.Withdraw(reason)
            : survey.Obstacle.Length > 0 ? new RecoveryDecision.Wait(survey.Obstacle) { Survey = survey }
            : Go(facts, council, survey);
    }

    /// <summary>Whether the left log is behind the right one, or, if both hold the same, its member comes later.</summary>
    /// <param name="left">What a member shows.</param>
    /// <param name="right">What another shows.</param>
    /// <returns>True if the right one is to found the epoch rather than the left one.</returns>
    public static bool HoldsLess(Handshake left, Handshake right) => Rank(left).CompareTo(Rank(right)) < 0;

    private static (ulong Term, ulong Index, ulong Id) Rank(Handshake shown) => (shown.Held?.LastTerm ?? 0, shown.Held?.LastIndex ?? 0, ulong.MaxValue - shown.MemberId);

    private static RecoveryDecision Go(RecoveryFacts facts, Council council, RecoverySurvey survey)
    {
        var best = council.Best;
        var isByHand = facts.Wish is { } wish && wish.ClusterId == facts.Self.ClusterId
            && (best.Held.LastTerm, best.Held.LastIndex).CompareTo((wish.LastTerm, wish.LastIndex)) >= 0;
        var missed = isByHand ? council.Silent.RemoveAll(voter => facts.Wish!.GivenUp.Contains(voter.Id)) : []; // Without a wish nothing is decided.
        if (!missed.IsEmpty)
        {
            var names = string.Join(" and ", missed.Select(Council.NameOf));
            return new RecoveryDecision.Wait($"{survey.Loss}; what was decided did not give up {names}, who may hold as much: bring it back, or run `cairn recover` again") { Survey = survey };
        }

        var isByItself = facts.Mode == RecoverMode.Auto && council.Silent.IsEmpty;
        if (!isByHand && isByItself && facts.Self.LeaderlessMs < facts.AutoAfter.TotalMilliseconds)
        {
            return new RecoveryDecision.Wait($"{survey.Loss}; --heal-recover=auto goes on after {facts.AutoAfter.TotalSeconds:F0} s without a leader") { Survey = survey };
        }

        if (!isByHand && !isByItself)
        {
            return new RecoveryDecision.Wait($"{survey.Loss}; bring one of them back, or run `cairn recover` on the machine of a survivor") { Survey = survey };
        }

        if (best.MemberId != facts.Self.MemberId)
        {
            var url = facts.Voices.First(voice => voice.Shown == best).Url;
            var reason = $"{survey.Loss}; {best.Name} holds most and founds the new epoch";
            return isByHand ? new RecoveryDecision.HandOn(url, reason) { Survey = survey } : new RecoveryDecision.Wait(reason) { Survey = survey };
        }

        var highest = council.Survivors.Max(shown => shown.Revision);
        return new RecoveryDecision.Found([.. facts.Voices.Where(council.MustPromise)], isByHand, highest) { Survey = survey };
    }

    /// <summary>Why the epoch to which this member has promised itself will not come; null if it may.</summary>
    private static string? VoidPromise(Council council, Handshake self)
    {
        if (self.Promise is not { } promise)
        {
            return null;
        }

        if (promise.Founder != self.Incarnation)
        {
            return council.Survivors.FirstOrDefault(shown => shown.Incarnation == promise.Founder) is { } founder && !promise.Equals(founder.Promise)
                ? $"{founder.Name} does not found epoch {promise.Epoch:x} any more"
                : null;
        }

        return council.Live.Length > council.Voters.Length / 2 ? "a majority is back"
            : council.Best.Incarnation != self.Incarnation ? $"{council.Best.Name} holds more"
            : null;
    }

    /// <summary>Who counted in the old cluster, and what became of them.</summary>
    private sealed record Council
    {
        /// <summary>What is known.</summary>
        public required RecoveryFacts Facts { get; init; }

        /// <summary>The voters.</summary>
        public required ImmutableArray<MemberRecord> Voters { get; init; }

        /// <summary>Who holds data of the cluster and may speak for its member, this one included.</summary>
        public required ImmutableArray<Handshake> Survivors { get; init; }

        /// <summary>The survivors with a vote.</summary>
        public ImmutableArray<Handshake> Live => [.. Survivors.Where(shown => Voters.Any(voter => voter.Id == shown.MemberId))];

        /// <summary>The voters whose data is not known to be there.</summary>
        private ImmutableArray<MemberRecord> Lost => [.. Voters.Where(voter => Survivors.All(shown => shown.MemberId != voter.Id))];

        /// <summary>Those of them which attest nothing.</summary>
        public ImmutableArray<MemberRecord> Silent => [.. Lost.Where(voter => VoiceOf(voter)?.Shown is not { } shown || !IsEmpty(shown) || !IsOf(voter, shown))];

        /// <summary>Who holds most.</summary>
        public Handshake Best => Survivors.Aggregate(static (best, next) => HoldsLess(best, next) ? next : best)!; // There is at least this member.

        public static Council Of(RecoveryFacts facts)
        {
            var others = facts.Voices.Where(voice => voice.Shown is { Standing: Standing.Member } shown && shown.ClusterId == facts.Self.ClusterId);
            ImmutableArray<Handshake> survivors = [facts.Self, .. others.Select(voice => voice.Shown!).DistinctBy(shown => shown.MemberId)]; // They were filtered.
            var newest = survivors.MaxBy(shown => shown.AppliedIndex)!; // There is at least this one.
            var shown = newest.Members.Select(Founding.FoundingRecords.Read);

            // What this member's log says behind what it has applied is newer than what it shows.
            var known = newest == facts.Self ? facts.Members.Concat(shown) : shown.Concat(facts.Members.Where(member => !newest.Removed.Contains(member.Id)));
            return new Council
            {
                Facts = facts,
                Voters = [.. known.Where(member => !member.IsLearner).DistinctBy(member => member.Id).OrderBy(member => member.Id)],
                Survivors = survivors,
            };
        }

        /// <summary>Whether nothing may be founded before this one has promised to take no part in the old cluster.</summary>
        public bool MustPromise(Voice voice) => voice.Shown is { } shown && (IsEmpty(shown) || Survivors.Contains(shown));

        /// <summary>What is known, for people.</summary>
        public RecoverySurvey Survey()
        {
            var best = Best;
            var survey = new RecoverySurvey { ClusterId = Facts.Self.ClusterId, Obstacle = Obstacle() ?? "" };
            var names = string.Join(", ", Lost.Select(voter => $"{NameOf(voter)} {StateOf(voter)}"));

            // The end of the best log may be one that others replaced: only what is known to be committed is all that was acknowledged up to there.
            survey.Loss = string.Create(CultureInfo.InvariantCulture,
                $"{Lost.Length} of {Voters.Length} voters are lost: {names}; {best.Name} holds most, up to index {best.Held.LastIndex} of term {best.Held.LastTerm}, ")
                + string.Create(CultureInfo.InvariantCulture, $"and knows index {best.AppliedIndex}, revision {best.Revision}, to be committed: ")
                + $"writes that {string.Join(" and ", Lost.Select(NameOf))} acknowledged after that revision cannot be excluded";
            survey.Survivors.AddRange(Survivors.OrderBy(static shown => shown.MemberId).Select(Describe));
            survey.Survivors.AddRange(Lost.Select(Describe));
            return survey;
        }

        private static bool IsEmpty(Handshake shown) => shown.Standing is Standing.Empty or Standing.Founding;

        public static string NameOf(MemberRecord member) => member.Name.Length > 0 ? member.Name : member.Id.ToString("x", CultureInfo.InvariantCulture);

        private Survivor Describe(Handshake shown)
        {
            var survivor = new Survivor
            {
                Name = shown.Name,
                MemberId = shown.MemberId,
                State = "holds data",
                HoldsData = true,
                LastTerm = shown.Held.LastTerm,
                LastIndex = shown.Held.LastIndex,
                AppliedIndex = shown.AppliedIndex,
                Revision = shown.Revision,
                IdleMs = shown.LeaderlessMs,
                IsBest = shown == Best,
            };
            survivor.PeerUrls.AddRange(shown.PeerUrls);
            return survivor;
        }

        private Survivor Describe(MemberRecord lost)
        {
            var survivor = new Survivor { Name = NameOf(lost), MemberId = lost.Id, State = StateOf(lost) };
            survivor.PeerUrls.AddRange(lost.PeerUrls);
            return survivor;
        }

        private Voice? VoiceOf(MemberRecord member) => Facts.Voices.FirstOrDefault(voice => voice.Shown is not null && AnswersFor(member, voice));

        /// <summary>Whether what answers may be that member. At the address of another voter it is that other one, whatever the list of members says: disks were exchanged.</summary>
        private bool AnswersFor(MemberRecord member, Voice voice) => member.PeerUrls.Contains(voice.Url)
            || ((member.PeerUrls.Any(url => voice.Urls.Contains(url)) || (voice.Name.Length > 0 && voice.Name == member.Name))
                && !Voters.Any(other => other.Id != member.Id && other.PeerUrls.Contains(voice.Url)));

        /// <summary>
        /// Whether an empty directory is the one of a voter: of who stands where it says it stands, or else of who has its name. An address does not tell: a name may lead to the machine of another member for a while,
        /// and one directory attests for one voter at most.
        /// </summary>
        private bool IsOf(MemberRecord voter, Handshake shown) =>
            (Voters.FirstOrDefault(each => each.PeerUrls.Any(shown.PeerUrls.Contains)) ?? Voters.FirstOrDefault(each => each.Name.Length > 0 && each.Name == shown.Name))?.Id == voter.Id;

        private string StateOf(MemberRecord member) => VoiceOf(member)?.Shown switch
        {
            null => "does not answer",
            { Standing: Standing.Empty or Standing.Founding } shown when !IsOf(member, shown) => $"is not where it is looked for: {shown.Name} answers there, and is empty",
            { Standing: Standing.Empty or Standing.Founding } => "is empty",
            { Standing: Standing.Fenced } => "is fenced",
            { Standing: Standing.Member } shown => $"is the member of another cluster, {shown.ClusterId:x}",
            _ => "holds nothing of use",
        };

        /// <summary>Why nothing can be founded now, whoever wants it; null if it can.</summary>
        private string? Obstacle()
        {
            var others = Survivors.Where(shown => shown.MemberId != Facts.Self.MemberId).ToList();
            return others.FirstOrDefault(static shown => shown.Leader != 0) is { } following ? $"{following.Name} hears leader {following.Leader:x}: this member cannot reach the quorum that there is"
                : others.FirstOrDefault(shown => shown.Removed.Contains(Facts.Self.MemberId)) is { } later ? $"{later.Name} knows this member as one that was removed"
                : Live.Length > Voters.Length / 2 ? "a majority answers"
                : null;
        }
    }
}
