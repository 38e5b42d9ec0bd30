using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Raft;
using Cairn.Raft.Progress;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Google.Protobuf;

namespace Cairn.Server.Healing;

/// <summary>What the leader hears of the others, put together for the planner. Owned by the healer.</summary>
/// <param name="node">The node.</param>
/// <param name="policy">What counts as in sync.</param>
/// <param name="applicants">Who asked to be taken in.</param>
internal sealed class HealSenses(NodeRuntime node, HealPolicy policy, Applicants applicants)
{
    private const string HandshakePath = "/cairn/handshake";

    // An answer that is older is asked for again.
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(1);

    // Each is a process of a member: more than all copies of all disks.
    private const int DisputesMax = 16;

    private readonly Dictionary<ulong, (TimeSpan Known, TimeSpan? Heard, TimeSpan? InSync)> _members = [];
    private readonly long _began = node.Time.GetTimestamp();
    private ImmutableDictionary<ulong, TimeSpan> _vacant = ImmutableDictionary<ulong, TimeSpan>.Empty;
    private ImmutableList<DisputedProcess> _disputes = [];
    private ulong _term;

    /// <summary>The moment, of the clock that views are of.</summary>
    public TimeSpan Now => node.Time.GetElapsedTime(_began);

    /// <summary>When this leader saw the last heal end; null if it saw none.</summary>
    public TimeSpan? LastHealEndedAt { get; set; }

    /// <summary>Processes that asked because somebody does not hear them. Replaced as a whole, by any thread.</summary>
    public ImmutableList<DisputedProcess> Disputes
    {
        get => Volatile.Read(ref _disputes);
        private set => Volatile.Write(ref _disputes, value);
    }

    /// <summary>Heals given up since one succeeded.</summary>
    public int GivenUpInARow { get; set; }

    /// <summary>Notes that a process asks which somebody does not hear. Any thread.</summary>
    /// <param name="asked">What it says.</param>
    public void Note(DisputedProcess asked) => ImmutableInterlocked.Update(ref _disputes, Replace, asked);

    /// <summary>Notes that a process which asked is heard by all. Any thread.</summary>
    /// <param name="process">The process.</param>
    public void Forget(ProcessIdentity process) =>
        ImmutableInterlocked.Update(ref _disputes, static (all, process) => all.RemoveAll(other => other.Process == process), process);

    /// <summary>Looks.</summary>
    /// <param name="approved">What was approved.</param>
    /// <returns>What is to be seen; null if this member does not lead.</returns>
    public async Task<ClusterView?> LookAsync(ImmutableHashSet<string> approved)
    {
        await AskApplicantsAsync();
        var description = node.RaftLoop.DescribeAsync();
        if (await Patience.WaitAsync(description, AnswerWithin, node.Time, CancellationToken.None) != WaitOutcome.Done)
        {
            // A loop that has ended describes nothing any more.
            return null;
        }

        var status = await description;
        if (status.Peers.All(peer => peer.Id != status.Basic.Id))
        {
            // It leads without being a member any more, until another is elected: healing is for that one.
            return null;
        }

        if (_term != status.Basic.HardState.Term)
        {
            // What an earlier leadership heard says nothing about how long this one has known.
            _members.Clear();
            _vacant = _vacant.Clear();
            applicants.Clear();
            Disputes = [];
            (_term, LastHealEndedAt, GivenUpInARow) = (status.Basic.HardState.Term, null, 0);
        }

        return Put(status, approved);
    }

    private static ImmutableList<DisputedProcess> Replace(ImmutableList<DisputedProcess> all, DisputedProcess asked)
    {
        var since = all.Find(other => other.Process == asked.Process)?.Since ?? asked.AskedAt;
        var others = all.RemoveAll(other => other.Process == asked.Process);
        return (others.Count < DisputesMax ? others : others.RemoveAt(0)).Add(asked with { Since = since });
    }

    private ClusterView Put(RaftStatus status, ImmutableHashSet<string> approved)
    {
        var (now, state) = (Now, node.View);
        var own = status.Peers.First(peer => peer.Id == status.Basic.Id);
        var sights = ImmutableArray.CreateBuilder<MemberSight>();
        foreach (var member in state.Members.Members)
        {
            var peer = status.Peers.FirstOrDefault(peer => peer.Id == member.Id);
            var (known, heard, inSync) = _members.GetValueOrDefault(member.Id, (now, null, null));
            var sight = new MemberSight
            {
                Member = member,
                HeardAt = peer.RecentlyActive ? now : heard,
                KnownSince = known,
                LagEntries = own.Match > peer.Match ? own.Match - peer.Match : 0,
                IsFollowing = peer.State == ProgressState.Replicate,
            };
            sight = sight with { InSyncAt = HealUnderWay.IsInSync(sight, policy) ? now : inSync };
            _members[member.Id] = (known, sight.HeardAt, sight.InSyncAt);
            sights.Add(sight);
        }

        var vacant = state.Healing.Vacancies.Where(static place => place.FilledBy == 0).Select(static place => place.MemberId).ToList();
        _vacant = _vacant.RemoveRange(_vacant.Keys.Except(vacant)).AddRange(vacant.Except(_vacant.Keys).Select(id => KeyValuePair.Create(id, now)));
        return new ClusterView
        {
            VacantSince = _vacant,
            Disputes = [.. Disputes],
            Self = status.Basic.Id,
            Members = state.Members,
            Listed = node.Options.InitialCluster,
            Healing = state.Healing,
            Sights = sights.ToImmutable(),
            Applicants = [.. applicants.All],
            IsChangePending = status.IsChangePending,
            LastHealEndedAt = LastHealEndedAt,
            GivenUpInARow = GivenUpInARow,
            Approved = approved,
        };
    }

    /// <summary>Asks those who want a place at the addresses that they give, all at once: that they ask does not mean that others reach them there.</summary>
    private async Task AskApplicantsAsync()
    {
        var now = Now;
        var asked = applicants.All.Where(applicant => applicant.AnsweredAt is not { } answered || now - answered > AskAgainAfter).Select(AskAsync).ToList();
        foreach (var answer in asked)
        {
            await answer;
        }
    }

    private async Task AskAsync(Applicant applicant)
    {
        var call = new PeerCall(HandshakePath, new Handshake().ToByteArray());
        foreach (var url in applicant.PeerUrls)
        {
            var answer = await PeerBody.AskAsync(node.World, url, call, HandshakeAnswer.Parser, AnswerWithin);
            if (answer?.Speaker?.Incarnation == applicant.Incarnation)
            {
                applicants.Answered(applicant.Incarnation, Now);
                return;
            }
        }
    }
}
