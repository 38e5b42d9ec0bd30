using System.Collections.Immutable;
using Cairn.Protocol.Healing;

namespace Cairn.State.Healing;

/// <summary>One heal: what was seen, what was decided and why that is safe, what came of it. Immutable.</summary>
public sealed record HealRecord
{
    /// <summary>Index of the entry that began it; 0 while it is only planned.</summary>
    public ulong Id { get; init; }

    /// <summary>What it does.</summary>
    public required HealKind Kind { get; init; }

    /// <summary>Who leaves, or left before; 0 for nobody.</summary>
    public ulong OldMember { get; init; }

    /// <summary>Who joins, or gets a vote; 0 for nobody.</summary>
    public ulong NewMember { get; init; }

    /// <summary>Name of the one who joins or leaves.</summary>
    public string Name { get; init; } = "";

    /// <summary>Peer URLs of the one who joins.</summary>
    public ImmutableArray<string> PeerUrls { get; init; } = [];

    /// <summary>Incarnation of the directory that joins; 0 if nobody does.</summary>
    public ulong Incarnation { get; init; }

    /// <summary>Whether the one who joins is to be a spare learner, and gets no vote.</summary>
    public bool IsStandby { get; init; }

    /// <summary>What was wrong, in words.</summary>
    public string Detected { get; init; } = "";

    /// <summary>The facts on which the decision rests.</summary>
    public string Evidence { get; init; } = "";

    /// <summary>What is done.</summary>
    public string Decision { get; init; } = "";

    /// <summary>Why that can lose nothing.</summary>
    public string Safety { get; init; } = "";

    /// <summary>How far it is.</summary>
    public HealOutcome Outcome { get; init; }

    /// <summary>What came of it; empty while it is under way.</summary>
    public string Result { get; init; } = "";

    /// <summary>Wall clock of the leader when it began, for display; milliseconds since 1970.</summary>
    public long BeganAtMs { get; init; }

    /// <summary>Wall clock of the leader when it ended; 0 before.</summary>
    public long EndedAtMs { get; init; }

    /// <summary>Reads a message.</summary>
    /// <param name="message">The message.</param>
    /// <returns>What it says.</returns>
    public static HealRecord Read(HealEvent message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return new HealRecord
        {
            Id = message.HealId,
            Kind = message.Kind,
            OldMember = message.OldMember,
            NewMember = message.NewMember,
            Name = message.Name,
            PeerUrls = [.. message.PeerUrls],
            Incarnation = message.Incarnation,
            IsStandby = message.IsStandby,
            Detected = message.Detected,
            Evidence = message.Evidence,
            Decision = message.Decision,
            Safety = message.Safety,
            Outcome = message.Outcome,
            Result = message.Result,
            BeganAtMs = message.BeganUnixMs,
            EndedAtMs = message.EndedUnixMs,
        };
    }

    /// <summary>Makes the message.</summary>
    /// <returns>A new one.</returns>
    public HealEvent ToMessage()
    {
        var message = new HealEvent
        {
            HealId = Id,
            Kind = Kind,
            OldMember = OldMember,
            NewMember = NewMember,
            Name = Name,
            Incarnation = Incarnation,
            IsStandby = IsStandby,
            Detected = Detected,
            Evidence = Evidence,
            Decision = Decision,
            Safety = Safety,
            Outcome = Outcome,
            Result = Result,
            BeganUnixMs = BeganAtMs,
            EndedUnixMs = EndedAtMs,
        };
        message.PeerUrls.AddRange(PeerUrls);
        return message;
    }
}

/// <summary>A place that a removed member left and that another, or its own directory, may take.</summary>
/// <param name="MemberId">The removed member.</param>
/// <param name="Name">Its name.</param>
/// <param name="PeerUrls">Its peer URLs.</param>
/// <param name="FilledBy">Who took the place, and may not have started yet; 0 for nobody.</param>
/// <param name="IsStandby">Whether it is the place of a spare learner.</param>
public sealed record VacantPlace(ulong MemberId, string Name, ImmutableArray<string> PeerUrls, ulong FilledBy = 0, bool IsStandby = false)
{
    /// <summary>Reads a message.</summary>
    /// <param name="vacancy">The message.</param>
    /// <returns>The place.</returns>
    public static VacantPlace Read(Vacancy vacancy)
    {
        ArgumentNullException.ThrowIfNull(vacancy);
        return new VacantPlace(vacancy.MemberId, vacancy.Name, [.. vacancy.PeerUrls], vacancy.FilledBy, vacancy.IsStandby);
    }

    /// <summary>Makes a message.</summary>
    /// <returns>A new one.</returns>
    public Vacancy ToMessage()
    {
        var vacancy = new Vacancy { MemberId = MemberId, Name = Name, FilledBy = FilledBy, IsStandby = IsStandby };
        vacancy.PeerUrls.AddRange(PeerUrls);
        return vacancy;
    }
}
