using Microsoft.Extensions.Logging;

namespace Cairn.Client;

/// <summary>What the client reports. Event ids 7000 to 7099.</summary>
internal static partial class Log
{
    [LoggerMessage(7000, LogLevel.Debug, "A call of {Path} to {Endpoint} failed with {Code}: {Reason}; trying again")]
    public static partial void AttemptFailed(this ILogger logger, string path, Uri endpoint, ClientErrorCode code, string reason);

    [LoggerMessage(7001, LogLevel.Debug, "The watch of {Endpoint} broke off with {Code}: {Reason}; resuming at revision {Revision}")]
    public static partial void WatchResumed(this ILogger logger, Uri endpoint, ClientErrorCode code, string reason, long revision);

    [LoggerMessage(7002, LogLevel.Warning, "Keeping lease {Lease} alive failed: {Reason}; trying again")]
    public static partial void KeepAliveFailed(this ILogger logger, long lease, string reason);

    [LoggerMessage(7003, LogLevel.Warning, "Lease {Lease} ended")]
    public static partial void LeaseEnded(this ILogger logger, long lease);
}
