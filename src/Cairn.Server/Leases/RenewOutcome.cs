namespace Cairn.Server.Leases;

/// <summary>How an attempt to renew a lease ended.</summary>
internal enum RenewOutcome
{
    /// <summary>It has its full time again.</summary>
    Renewed,

    /// <summary>It has its full time again here, but the log says how idle it was: that must be taken back before anybody is told.</summary>
    Checkpointed,

    /// <summary>There is no such lease.</summary>
    Gone,

    /// <summary>Its revocation is under way: wait for the outcome, then try again.</summary>
    BeingRevoked,

    /// <summary>This member does not keep the time of leases.</summary>
    NotPrimary,
}
