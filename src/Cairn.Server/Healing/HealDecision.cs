using System.Collections.Immutable;
using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>The next step of healing, or none; and what healing waits for.</summary>
/// <param name="Step">What to do now; null for nothing.</param>
/// <param name="Notices">What is not as it should be, and why nothing is done about it now.</param>
internal sealed record HealDecision(HealStep? Step, ImmutableArray<HealNotice> Notices)
{
    /// <summary>All is well.</summary>
    public static HealDecision Nothing { get; } = new(null, []);
}

/// <summary>Something that healing sees and does not mend now.</summary>
/// <param name="Key">Tells it from others; stays the same while it lasts.</param>
/// <param name="Text">What is wrong and what is waited for, for people.</param>
/// <param name="Incarnation">The directory that waits; 0 if none does.</param>
/// <param name="Proposal">What would be done if it were approved; null if approval would not help.</param>
internal sealed record HealNotice(string Key, string Text, ulong Incarnation = 0, HealRecord? Proposal = null);

/// <summary>One ordinary proposal.</summary>
internal abstract record HealStep
{
    /// <summary>Records how many members the cluster is meant to have.</summary>
    /// <param name="Size">The number.</param>
    public sealed record SetTargetSize(int Size) : HealStep;

    /// <summary>Records a heal, so that any leader can go on with it.</summary>
    /// <param name="Heal">The heal; the one who joins has no id yet.</param>
    public sealed record Begin(HealRecord Heal) : HealStep;

    /// <summary>Removes the member that the heal under way replaces.</summary>
    /// <param name="MemberId">The member.</param>
    public sealed record Remove(ulong MemberId) : HealStep;

    /// <summary>Adds the member that joins, as a learner.</summary>
    /// <param name="Heal">The heal under way.</param>
    public sealed record AddLearner(HealRecord Heal) : HealStep;

    /// <summary>Gives a learner its vote.</summary>
    /// <param name="MemberId">The learner.</param>
    public sealed record Promote(ulong MemberId) : HealStep;

    /// <summary>Records how the heal under way ended.</summary>
    /// <param name="HealId">Which.</param>
    /// <param name="Outcome">How.</param>
    /// <param name="Result">In words.</param>
    public sealed record End(ulong HealId, HealOutcome Outcome, string Result) : HealStep;

    /// <summary>Records whether a process speaks for its member.</summary>
    /// <param name="Verdict">The verdict.</param>
    public sealed record Judge(ProcessVerdict Verdict) : HealStep;

    /// <summary>Removes a member that was added and never started.</summary>
    /// <param name="Heal">What is noted afterwards.</param>
    public sealed record Clear(HealRecord Heal) : HealStep;
}
