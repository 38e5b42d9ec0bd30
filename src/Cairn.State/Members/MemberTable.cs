using System.Collections.Immutable;

namespace Cairn.State.Members;

/// <summary>One member of the cluster's configuration.</summary>
public sealed record MemberRecord
{
    /// <summary>Never used again once removed.</summary>
    public required ulong Id { get; init; }

    /// <summary>Name for people; empty until the member has started and published itself.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where its peers reach it.</summary>
    public ImmutableArray<string> PeerUrls { get; init; } = [];

    /// <summary>Where its clients reach it; empty until the member has started and published itself.</summary>
    public ImmutableArray<string> ClientUrls { get; init; } = [];

    /// <summary>Whether it receives the log without a vote.</summary>
    public bool IsLearner { get; init; }

    /// <summary>Whether it is a spare learner, which healing promotes in place of a voter that is lost. Never of a voter.</summary>
    public bool IsStandby { get; init; }

    /// <summary>Incarnation of the data directory that holds this member's promises; 0 while none is recorded. Never changes once it is.</summary>
    public ulong Incarnation { get; init; }

    /// <summary>Compares contents.</summary>
    /// <param name="other">Another record.</param>
    /// <returns>Whether all fields are equal.</returns>
    public bool Equals(MemberRecord? other) =>
        other is not null
        && Id == other.Id
        && Name == other.Name
        && IsLearner == other.IsLearner
        && IsStandby == other.IsStandby
        && Incarnation == other.Incarnation
        && PeerUrls.AsSpan().SequenceEqual(other.PeerUrls.AsSpan())
        && ClientUrls.AsSpan().SequenceEqual(other.ClientUrls.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Name, IsLearner, PeerUrls.Length, ClientUrls.Length);
}

/// <summary>A downgrade that is under way.</summary>
/// <param name="TargetVersion">The version to go down to ("3.5.0").</param>
public sealed record DowngradeJob(string TargetVersion);

/// <summary>Who belongs to the cluster, who never may again, and which version the members agreed on. Immutable.</summary>
/// <remarks>Source: etcd server/etcdserver/api/membership/cluster.go.</remarks>
public sealed record MemberTable
{
    /// <summary>No members.</summary>
    public static MemberTable Empty { get; } = new();

    /// <summary>The members, by ascending id.</summary>
    public ImmutableArray<MemberRecord> Members { get; init; } = [];

    /// <summary>Ids that were removed, ascending: they never come back.</summary>
    public ImmutableArray<ulong> Removed { get; init; } = [];

    /// <summary>Version that all members support ("3.6.0"); null before the first agreement.</summary>
    public string? ClusterVersion { get; init; }

    /// <summary>The downgrade under way, if any.</summary>
    public DowngradeJob? Downgrade { get; init; }

    /// <summary>Ids of the members with a vote, ascending.</summary>
    public ImmutableArray<ulong> Voters => [.. Members.Where(member => !member.IsLearner).Select(member => member.Id)];

    /// <summary>Ids of the members without a vote, ascending.</summary>
    public ImmutableArray<ulong> Learners => [.. Members.Where(member => member.IsLearner).Select(member => member.Id)];

    /// <summary>Looks a member up.</summary>
    /// <param name="id">Which.</param>
    /// <returns>The member, or null.</returns>
    public MemberRecord? Find(ulong id) => Members.FirstOrDefault(member => member.Id == id);

    /// <summary>Checks a change against this configuration, as apply will. Server asks before it proposes, too.</summary>
    /// <param name="change">The change.</param>
    /// <param name="learnersMax">Most learners at a time; must be equal on all members.</param>
    /// <returns>None if it may be made.</returns>
    public StoreError Validate(MemberChange change, int learnersMax)
    {
        var id = change.MemberId;
        var known = Find(id);
        if (Removed.Contains(id))
        {
            return StoreError.MemberNotFound;
        }

        return change.Kind switch
        {
            MemberChangeKind.Add when known is not null => StoreError.MemberExists,
            MemberChangeKind.Promote or MemberChangeKind.Remove or MemberChangeKind.Update when known is null => StoreError.MemberNotFound,
            MemberChangeKind.Promote when !known!.IsLearner => StoreError.MemberNotLearner, // Null was answered above.

            // Whoever asked had judged by what it knew then: the stop hooks of all members at once ask while others go. Raft has no configuration without voters.
            MemberChangeKind.Remove when Voters.Length == 1 && Voters[0] == id => StoreError.NotEnoughStartedMembers,
            MemberChangeKind.Add or MemberChangeKind.Update when IsUsedByAnother(change) => StoreError.PeerUrlExists,
            MemberChangeKind.Add when change.CountsAsLearner && Learners.Length + 1 > learnersMax => StoreError.TooManyLearners,
            _ => StoreError.None,
        };
    }

    internal MemberTable With(MemberChange change) => change.Kind switch
    {
        MemberChangeKind.Add => Replaced(change.Member ?? throw Invariant.Unreachable("an addition without a member")),
        MemberChangeKind.Promote => Replaced(Known(change.MemberId) with { IsLearner = false, IsStandby = false }),

        // An update moves the address only: taking the learner flag from it once promoted learners silently.
        MemberChangeKind.Update => Replaced(Known(change.MemberId) with { PeerUrls = change.Member?.PeerUrls ?? [] }),
        _ => this with
        {
            Members = Members.RemoveAll(member => member.Id == change.MemberId),
            Removed = [.. Removed.Add(change.MemberId).Order()],
        },
    };

    /// <summary>Takes over what a member published of itself; unknown and removed members are passed over.</summary>
    /// <remarks>
    /// The first incarnation stays: whoever has another one under this id did not make its promises. A spare learner stays one until it is promoted, whatever its flags say.
    /// </remarks>
    internal MemberTable WithAttributes(ulong id, string name, ImmutableArray<string> clientUrls, ulong incarnation, bool isStandby) => Find(id) is { } member
        ? Replaced(member with
        {
            Name = name,
            ClientUrls = clientUrls,
            Incarnation = member.Incarnation != 0 ? member.Incarnation : incarnation,
            IsStandby = member.IsLearner && (member.IsStandby || isStandby),
        })
        : this;

    internal void AssertInvariants()
    {
        for (var i = 1; i < Members.Length; i++)
        {
            Invariant.Holds(Members[i - 1].Id < Members[i].Id);
        }

        Invariant.Holds(Members.All(static member => member.IsLearner || !member.IsStandby));

        foreach (var id in Removed)
        {
            Invariant.Holds(Find(id) is null);
        }
    }

    private MemberRecord Known(ulong id) => Find(id) ?? throw Invariant.Unreachable("a validated change of an unknown member");

    private MemberTable Replaced(MemberRecord member) =>
        this with { Members = [.. Members.RemoveAll(each => each.Id == member.Id).Add(member).OrderBy(each => each.Id)] };

    private bool IsUsedByAnother(MemberChange change)
    {
        var urls = change.Member?.PeerUrls ?? [];
        return Members.Any(member => member.Id != change.MemberId && member.PeerUrls.Any(url => urls.Contains(url)));
    }
}
