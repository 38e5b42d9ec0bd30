using Cairn.State.Alarms;
using Cairn.State.Auth;
using Cairn.State.Healing;
using Cairn.State.Lease;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Cairn.Storage.Revisions;

namespace Cairn.State;

/// <summary>Everything that makes up the replicated state, as its one writer holds it.</summary>
internal sealed class StateParts
{
    public StateParts(RevisionLog log, KeyIndex index, LeaseTable leases)
    {
        Leases = leases;
        Events = new EventBuffer();
        Keys = new KeySpace(log, index, leases, Events);
        Commands = new KeySpaceCommands(Keys, leases);
        Sweep = new CompactionSweep(Keys);
    }

    public KeySpace Keys { get; }

    public KeySpaceCommands Commands { get; }

    public CompactionSweep Sweep { get; }

    public LeaseTable Leases { get; }

    public EventBuffer Events { get; }

    public AlarmTable Alarms { get; set; } = AlarmTable.Empty;

    public AuthTables Auth { get; set; } = AuthTables.Empty;

    public TokenTable Tokens { get; set; } = TokenTable.Empty;

    public MemberTable Members { get; set; } = MemberTable.Empty;

    public HealingTable Healing { get; set; } = HealingTable.Empty;

    public AppliedPosition Applied { get; set; }

    public void AssertInvariants()
    {
        Keys.AssertInvariants();
        Leases.AssertInvariants();
        Members.AssertInvariants();
        Auth.AssertInvariants();
        Healing.AssertInvariants();
        Invariant.Holds(Sweep.Finished <= Keys.CompactedRevision);
    }
}
