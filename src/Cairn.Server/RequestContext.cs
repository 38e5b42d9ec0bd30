namespace Cairn.Server;

/// <summary>Who asks, and under which conditions.</summary>
/// <param name="Cancelled">Signalled when the client went away or its deadline passed. A write may have happened nevertheless.</param>
/// <param name="Token">Auth token as the client sent it; null if none.</param>
/// <param name="RequireLeader">Whether the client wants an error, not silence, while there is no leader ("hasleader").</param>
/// <param name="CommonName">Common name of the verified client certificate; null if there is none or it does not count.</param>
public readonly record struct RequestContext(
    CancellationToken Cancelled,
    string? Token = null,
    bool RequireLeader = false,
    string? CommonName = null);
