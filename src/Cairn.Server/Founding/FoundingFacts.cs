using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.State.Members;

namespace Cairn.Server.Founding;

/// <summary>What a member without a cluster knows when it decides what to do.</summary>
internal sealed record FoundingFacts
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its peer URLs.</summary>
    public required ImmutableArray<string> PeerUrls { get; init; }

    /// <summary>Who is to found the cluster, as it was told: names, URLs, and the ids that follow from them.</summary>
    public required ImmutableArray<MemberRecord> Listed { get; init; }

    /// <summary>Hash of its token.</summary>
    public required ReadOnlyMemory<byte> TokenHash { get; init; }

    /// <summary>Whether it was told to join a cluster and to found none.</summary>
    public required bool IsJoining { get; init; }

    /// <summary>Whom it waits for before it founds.</summary>
    public required BootstrapRule Rule { get; init; }

    /// <summary>Its incarnation.</summary>
    public required ulong Incarnation { get; init; }

    /// <summary>The record to which it has agreed, durably; null if none.</summary>
    public FoundingRecord? Agreed { get; init; }

    /// <summary>Whether it has listened long enough for peers that know it already.</summary>
    public required bool HasListened { get; init; }

    /// <summary>What the others said, each once.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }
}

/// <summary>What came of asking at the peer URLs of one other member.</summary>
/// <param name="Name">The name under which it is listed; empty for one that is not, but has spoken to this member.</param>
/// <param name="Url">The URL that answered, or was asked.</param>
internal sealed record Finding(string Name, string Url)
{
    /// <summary>What a member of Cairn shows; null if nobody answered, or etcd did.</summary>
    public Handshake? Shown { get; init; }

    /// <summary>The members of the cluster, as etcd shows them; null if nobody answered, or Cairn did.</summary>
    public ImmutableArray<MemberRecord>? EtcdMembers { get; init; }

    /// <summary>The cluster of etcd's answer.</summary>
    public ulong EtcdClusterId { get; init; }

    /// <summary>Whether anything answered.</summary>
    public bool HasAnswered => Shown is not null || EtcdMembers is not null;

    /// <summary>For messages.</summary>
    public string Title => Name.Length == 0 ? Url : $"{Name} ({Url})";
}

/// <summary>What a member without a cluster does next.</summary>
internal abstract record FoundingDecision
{
    private FoundingDecision()
    {
    }

    /// <summary>Waits, and asks again.</summary>
    /// <param name="Reason">For what.</param>
    internal sealed record Wait(string Reason) : FoundingDecision;

    /// <summary>Agrees to a record, durably, and asks again.</summary>
    /// <param name="Record">The record.</param>
    internal sealed record Agree(FoundingRecord Record) : FoundingDecision;

    /// <summary>Starts as a founder.</summary>
    /// <param name="Record">Who founds.</param>
    internal sealed record Start(FoundingRecord Record) : FoundingDecision;

    /// <summary>Starts as a member that the cluster already expects.</summary>
    /// <param name="Cluster">The cluster.</param>
    internal sealed record Join(Membership.FoundCluster Cluster) : FoundingDecision;

    /// <summary>Asks the cluster to be taken in, and asks again.</summary>
    /// <param name="ReplacedId">The member whose place it asks for; 0 if there is none any more.</param>
    /// <param name="Url">Whom to ask.</param>
    /// <param name="Reason">Why it cannot simply start.</param>
    internal sealed record AskForPlace(ulong ReplacedId, string Url, string Reason) : FoundingDecision;
}
