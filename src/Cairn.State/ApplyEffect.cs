using System.Collections.Immutable;
using Cairn.State.Lease;
using Cairn.State.Members;

namespace Cairn.State;

/// <summary>What an applied entry changed beside the key space.</summary>
/// <remarks>For those who act on it: the lease clock, the transport, the raft node, the token table.</remarks>
public abstract record ApplyEffect;

/// <summary>A lease exists from now on.</summary>
/// <param name="Lease">It.</param>
public sealed record LeaseGranted(LeaseInfo Lease) : ApplyEffect;

/// <summary>A lease and its keys are gone.</summary>
/// <param name="Id">Which.</param>
public sealed record LeaseRevoked(long Id) : ApplyEffect;

/// <summary>The remaining time of leases was recorded.</summary>
/// <param name="Leases">Those that exist, as they are now.</param>
public sealed record LeasesCheckpointed(ImmutableArray<LeaseInfo> Leases) : ApplyEffect;

/// <summary>Alarms were raised or disarmed.</summary>
public sealed record AlarmsChanged : ApplyEffect;

/// <summary>History below a revision cannot be read from now on; what it takes goes step by step (<see cref="StateMachine.Sweep"/>).</summary>
/// <param name="Revision">The new floor.</param>
public sealed record CompactionScheduled(long Revision) : ApplyEffect;

/// <summary>A configuration entry was validated.</summary>
/// <param name="Change">What it asked for.</param>
/// <param name="Error">None if it was carried out. Otherwise the raft node must be given the change with node id 0.</param>
public sealed record MembersChanged(MemberChange Change, StoreError Error) : ApplyEffect;

/// <summary>A member published its name and client URLs, or the cluster version or a downgrade changed.</summary>
public sealed record ClusterChanged : ApplyEffect;

/// <summary>Users, roles or whether they matter changed.</summary>
public sealed record AuthChanged : ApplyEffect;
