using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.State.Members;

namespace Cairn.Server.Recovery;

/// <summary>What a member knows that has heard no leader for a while: plain data.</summary>
internal sealed record RecoveryFacts
{
    /// <summary>What it shows itself.</summary>
    public required Handshake Self { get; init; }

    /// <summary>The newest configuration that it knows, additions included that may not have been committed, by ascending id.</summary>
    public required ImmutableArray<MemberRecord> Members { get; init; }

    /// <summary>What came of asking the others, each once.</summary>
    public required ImmutableArray<Voice> Voices { get; init; }

    /// <summary>Whether survivors may decide by themselves.</summary>
    public RecoverMode Mode { get; init; }

    /// <summary>How long they wait before they do.</summary>
    public TimeSpan AutoAfter { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>What a person decided; null if nobody did.</summary>
    public RecoveryWish? Wish { get; init; }
}

/// <summary>What came of asking at the peer URLs of one other member.</summary>
/// <param name="Name">Its name; empty if it is not known.</param>
/// <param name="Urls">Where it was asked.</param>
internal sealed record Voice(string Name, ImmutableArray<string> Urls)
{
    /// <summary>Where it answered; empty if it did not.</summary>
    public string Url { get; init; } = "";

    /// <summary>What it shows; null if nobody answered.</summary>
    public Handshake? Shown { get; init; }
}

/// <summary>What a member without a leader does next.</summary>
internal abstract record RecoveryDecision
{
    private RecoveryDecision()
    {
    }

    /// <summary>What is known, for people; null if all may yet come right by itself.</summary>
    public RecoverySurvey? Survey { get; init; }

    /// <summary>Waits, and looks again.</summary>
    /// <param name="Reason">For what.</param>
    internal sealed record Wait(string Reason) : RecoveryDecision;

    /// <summary>Takes back the promise that it has given: the epoch will not come.</summary>
    /// <param name="Reason">Why not.</param>
    internal sealed record Withdraw(string Reason) : RecoveryDecision;

    /// <summary>Gives way to the epoch that was founded without it.</summary>
    /// <param name="Shown">A member of that.</param>
    /// <param name="Url">Where it answered.</param>
    internal sealed record GiveWay(Handshake Shown, string Url) : RecoveryDecision;

    /// <summary>Hands a person's decision to the survivor that holds most.</summary>
    /// <param name="Url">Where that is.</param>
    /// <param name="Reason">For people.</param>
    internal sealed record HandOn(string Url, string Reason) : RecoveryDecision;

    /// <summary>Asks everybody who answers for a promise, and founds the epoch once all have given it.</summary>
    /// <param name="Asked">Whom.</param>
    /// <param name="IsByHand">Whether a person decided.</param>
    /// <param name="HighestRevision">The highest revision that anybody showed.</param>
    internal sealed record Found(ImmutableArray<Voice> Asked, bool IsByHand, long HighestRevision) : RecoveryDecision;
}
