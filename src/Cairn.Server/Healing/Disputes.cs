using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>Decides, for the cluster, whether a process speaks for its member that some other member does not hear.</summary>
/// <remarks>
/// <para>
/// Meanwhile the process is silent, so that it and a copy of it never both count. The verdict is replicated and final, but for a promise that comes to light later: what each member
/// remembers is what it alone saw, and may be mistaken, a copy itself perhaps. So one member can silence another for a while, and only the leader that a quorum follows can send it away.
/// </para>
/// <code>
///   it forgot a promise that somebody saw   it does not speak
///   the leader hears it                     it speaks: its log holds all that those who contradict saw
///   the leader contradicts                  it does not speak
///   the leader hears another one            nothing, as that one may be about to end; when it has been heard for long, it does not speak: it is a copy
/// </code>
/// </remarks>
internal static class Disputes
{
    /// <summary>Decides about the first that asks.</summary>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">What counts as fresh.</param>
    /// <param name="now">The moment.</param>
    /// <returns>The verdict; null if nobody asks.</returns>
    public static HealStep.Judge? Next(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        var asked = view.Disputes.FirstOrDefault(dispute => now - dispute.AskedAt <= policy.FreshWithin
            && (!dispute.IsDeferred || dispute.AskedAt - dispute.Since >= policy.CopyAfter)
            && view.Members.Find(dispute.MemberId) is not null && IsOpen(dispute, view.Healing.VerdictOn(dispute.MemberId, dispute.Process.Nonce)));
        return asked is null ? null : new HealStep.Judge(Verdict(asked));
    }

    /// <summary>Whether something is left to decide: that it speaks was said by what was known then; somebody who was away may have seen a promise that it forgot.</summary>
    private static bool IsOpen(DisputedProcess asked, ProcessVerdict? before) => before is null || (before.Speaks && asked.IsBehind);

    private static ProcessVerdict Verdict(DisputedProcess asked)
    {
        var speaks = asked is { IsHeard: true, IsBehind: false };
        return new ProcessVerdict
        {
            MemberId = asked.MemberId,
            Incarnation = asked.Process.Incarnation,
            StartCounter = asked.Process.StartCounter,
            Nonce = asked.Process.Nonce,
            Speaks = speaks,
            Heal = new HealRecord
            {
                Kind = HealKind.JudgeProcess,
                OldMember = speaks ? 0 : asked.MemberId,
                NewMember = speaks ? asked.MemberId : 0,
                Name = asked.Name,
                Incarnation = asked.Process.Incarnation,
                Detected = $"a process that speaks for member {asked.MemberId:x} ({asked.Name}) is not heard by all",
                Evidence = asked.Evidence,
                Decision = speaks ? "it speaks for its member" : "it does not speak for its member; it may come back as a new one",
                Safety = speaks ? "the leader hears it, and its log holds what the others saw" : asked.IsBehind ? "it forgot a promise: its member must not vote with what is left"
                    : asked.IsDeferred ? "the leader hears another process of the member: only one of two copies of a disk may count"
                    : "only one of two copies of a disk may count",
                Outcome = HealOutcome.Healed,
                Result = speaks ? "all members hear it" : "nobody hears it",
            }.ToMessage(),
        };
    }
}
