using System.Collections.Immutable;
using Cairn.Server.Membership;
using Cairn.State.Healing;
using Cairn.State.Members;

namespace Cairn.Server.Healing;

/// <summary>What the leader knows of the cluster at one moment: what each member last said, and when. Plain data; moments are of the leader's monotonic clock.</summary>
internal sealed record ClusterView
{
    /// <summary>The leader.</summary>
    public required ulong Self { get; init; }

    /// <summary>The membership, as applied.</summary>
    public required MemberTable Members { get; init; }

    /// <summary>What the cluster is meant to be, and the heal under way.</summary>
    public required HealingTable Healing { get; init; }

    /// <summary>Every member, the leader included, by ascending id.</summary>
    public required ImmutableArray<MemberSight> Sights { get; init; }

    /// <summary>The members that the leader's flags give.</summary>
    public ImmutableArray<InitialMember> Listed { get; init; } = [];

    /// <summary>Directories without a place that ask to be taken in.</summary>
    public ImmutableArray<Applicant> Applicants { get; init; } = [];

    /// <summary>Processes that some member does not hear, and that asked the leader.</summary>
    public ImmutableArray<DisputedProcess> Disputes { get; init; } = [];

    /// <summary>Since when this leader knows that a place is vacant, by the id of the member that left it.</summary>
    public ImmutableDictionary<ulong, TimeSpan> VacantSince { get; init; } = ImmutableDictionary<ulong, TimeSpan>.Empty;

    /// <summary>Whether a change of the membership is on its way through the log.</summary>
    public bool IsChangePending { get; init; }

    /// <summary>When this leader saw the last heal end; null if it saw none.</summary>
    public TimeSpan? LastHealEndedAt { get; init; }

    /// <summary>Heals that were given up since one succeeded, as this leader saw it.</summary>
    public int GivenUpInARow { get; init; }

    /// <summary>Proposals that somebody entitled approved: <see cref="HealNotice.Key"/> of each.</summary>
    public ImmutableHashSet<string> Approved { get; init; } = [];

    /// <summary>Looks a member up.</summary>
    /// <param name="id">Which.</param>
    /// <returns>What is known of it; null if it is no member.</returns>
    public MemberSight? Find(ulong id) => Sights.FirstOrDefault(sight => sight.Member.Id == id);
}

/// <summary>What the leader knows of one member.</summary>
internal sealed record MemberSight
{
    /// <summary>Its entry in the membership.</summary>
    public required MemberRecord Member { get; init; }

    /// <summary>When the core last heard of it; null if never in this leadership.</summary>
    public TimeSpan? HeardAt { get; init; }

    /// <summary>When it last had what the leader has; null if never in this leadership.</summary>
    public TimeSpan? InSyncAt { get; init; }

    /// <summary>Since when this leader knows of it.</summary>
    public TimeSpan KnownSince { get; init; }

    /// <summary>Entries that it has not acknowledged.</summary>
    public ulong LagEntries { get; init; }

    /// <summary>Whether it receives entries as they come, and no snapshot.</summary>
    public bool IsFollowing { get; init; }

    /// <summary>Whether it told the cluster its name.</summary>
    public bool IsStarted => Member.Name.Length > 0;

    /// <summary>Whether it is recorded as a Cairn; a Go member is not, nor one that never started.</summary>
    public bool IsCairn => Member.Incarnation != 0;
}

/// <summary>A process that some member does not hear.</summary>
internal sealed record DisputedProcess
{
    /// <summary>The member for which it wants to speak.</summary>
    public required ulong MemberId { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The process.</summary>
    public required ProcessIdentity Process { get; init; }

    /// <summary>Whether the leader hears it.</summary>
    public bool IsHeard { get; init; }

    /// <summary>Whether somebody saw a promise that it forgot.</summary>
    public bool IsBehind { get; init; }

    /// <summary>Who contradicts and why, in words.</summary>
    public required string Evidence { get; init; }

    /// <summary>Whether the leader hears another process of the member.</summary>
    public bool IsDeferred { get; init; }

    /// <summary>Since when it has asked without being accepted.</summary>
    public TimeSpan Since { get; init; }

    /// <summary>When it last asked.</summary>
    public TimeSpan AskedAt { get; init; }
}

/// <summary>A running process without a place in the cluster that asks for one.</summary>
internal sealed record Applicant
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its peer URLs.</summary>
    public required ImmutableArray<string> PeerUrls { get; init; }

    /// <summary>The incarnation of its directory, made for the place it asks for.</summary>
    public required ulong Incarnation { get; init; }

    /// <summary>The member that it was, if its old directory tells; 0 if it is empty.</summary>
    public ulong OldMember { get; init; }

    /// <summary>Whether it has the cluster's token.</summary>
    public bool IsOfThisCluster { get; init; }

    /// <summary>When it last asked.</summary>
    public TimeSpan AskedAt { get; init; }

    /// <summary>When a question at one of its peer URLs was last answered with this incarnation; null if never.</summary>
    public TimeSpan? AnsweredAt { get; init; }
}
