using System.Collections.Immutable;
using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Server.Healing;
using Cairn.State.Healing;
using Cairn.State.Members;

namespace Cairn.Tests.Server.Healing;

/// <summary>A cluster as its leader might see it: all is well unless a test says otherwise. Member n has the incarnation 100 + n and leads if it is 1.</summary>
internal sealed class HealScene
{
    public static readonly TimeSpan Now = TimeSpan.FromHours(30);

    private readonly List<MemberSight> _sights = [];
    private readonly List<Applicant> _applicants = [];
    private readonly List<ulong> _removed = [];
    private readonly List<DisputedProcess> _disputes = [];
    private readonly Dictionary<ulong, TimeSpan> _vacant = [];

    public HealScene(int voters)
    {
        for (var id = 1UL; id <= (ulong)voters; id++)
        {
            _sights.Add(Sight(id));
        }

        Healing = new HealingTable { TargetSize = voters };
    }

    public HealingTable Healing { get; set; }

    public HealPolicy Policy { get; set; } = new();

    public ImmutableHashSet<string> Approved { get; set; } = [];

    public ImmutableArray<string> Listed { get; set; } = [];

    public bool IsChangePending { get; set; }

    public TimeSpan? LastHealEndedAt { get; set; }

    public int GivenUpInARow { get; set; }

    public HealStep? Step => Decide().Step;

    public string Notices => string.Join('\n', Decide().Notices.Select(notice => notice.Text));

    public HealDecision Decide() => HealPlan.Next(View(), Policy, Now);

    public ClusterView View() => new()
    {
        Self = 1,
        Members = new MemberTable { Members = [.. _sights.Select(sight => sight.Member).OrderBy(member => member.Id)], Removed = [.. _removed.Order()] },
        Healing = Healing,
        Listed = [.. Listed.Select(static url => new InitialMember(new Uri(url).Host, [url]))],
        Sights = [.. _sights.OrderBy(sight => sight.Member.Id)],
        Applicants = [.. _applicants],
        Disputes = [.. _disputes],
        VacantSince = _vacant.ToImmutableDictionary(),
        IsChangePending = IsChangePending,
        LastHealEndedAt = LastHealEndedAt,
        GivenUpInARow = GivenUpInARow,
        Approved = Approved,
    };

    public HealScene With(ulong id, Func<MemberSight, MemberSight> change)
    {
        var index = _sights.FindIndex(sight => sight.Member.Id == id);
        if (index < 0)
        {
            _sights.Add(change(Sight(id)));
        }
        else
        {
            _sights[index] = change(_sights[index]);
        }

        return this;
    }

    public HealScene Silent(params ulong[] ids)
    {
        foreach (var id in ids)
        {
            With(id, sight => sight with { HeardAt = Now - TimeSpan.FromSeconds(20) });
        }

        return this;
    }

    public HealScene Unstarted(ulong id, TimeSpan age) => With(id, sight => sight with
    {
        Member = sight.Member with { Name = "", Incarnation = 0 },
        HeardAt = null,
        KnownSince = Now - age,
    });

    public HealScene Learner(ulong id) => With(id, sight => sight with { Member = sight.Member with { IsLearner = true } });

    public HealScene Spare(ulong id) => With(id, sight => sight with { Member = sight.Member with { IsLearner = true, IsStandby = true }, InSyncAt = Now });

    public HealScene Gone(ulong id, TimeSpan age) => With(id, sight => sight with { HeardAt = Now - age });

    public HealScene Vacant(ulong id, TimeSpan age)
    {
        _vacant[id] = Now - age;
        return this;
    }

    public HealScene Removed(ulong id)
    {
        _sights.RemoveAll(sight => sight.Member.Id == id);
        _removed.Add(id);
        return this;
    }

    public HealScene Dispute(DisputedProcess asked)
    {
        _disputes.Add(asked);
        return this;
    }

    public HealScene Apply(Applicant applicant)
    {
        _applicants.RemoveAll(other => other.Incarnation == applicant.Incarnation);
        _applicants.Add(applicant);
        return this;
    }

    public static Applicant Empty(ulong urlOf, ulong incarnation) => new()
    {
        Name = $"m{urlOf}",
        PeerUrls = [Url(urlOf)],
        Incarnation = incarnation,
        IsOfThisCluster = true,
        AskedAt = Now,
        AnsweredAt = Now,
    };

    public static HealRecord Heal(HealKind kind, ulong old, ulong next, ulong urlOf, ulong incarnation) => new()
    {
        Id = 50,
        Kind = kind,
        OldMember = old,
        NewMember = next,
        PeerUrls = [Url(urlOf)],
        Incarnation = incarnation,
    };

    public static string Url(ulong id) => $"http://m{id}:2380";

    private static MemberSight Sight(ulong id) => new()
    {
        Member = new MemberRecord { Id = id, Name = $"m{id}", PeerUrls = [Url(id)], ClientUrls = ["http://c"], Incarnation = 100 + id },
        HeardAt = Now,
        IsFollowing = true,
        InSyncAt = Now,
    };
}
