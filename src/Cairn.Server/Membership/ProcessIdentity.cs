namespace Cairn.Server.Membership;

/// <summary>What tells a data directory, and the process that runs on it, from all others.</summary>
/// <remarks>A member id is computed from flags, so it says nothing of the disk behind it; this does (docs/decisions/0007).</remarks>
/// <param name="Incarnation">Random number made with the data directory; never 0.</param>
/// <param name="StartCounter">How often a process was started on it, this one included.</param>
/// <param name="Nonce">Random number of the process; never 0.</param>
public sealed record ProcessIdentity(ulong Incarnation, ulong StartCounter, ulong Nonce);

/// <summary>How far a log reaches, durably.</summary>
/// <param name="Term">Term of the hard state: it never falls.</param>
/// <param name="LastTerm">Term of the last entry.</param>
/// <param name="LastIndex">Index of the last entry.</param>
public readonly record struct LogEnd(ulong Term, ulong LastTerm, ulong LastIndex);
