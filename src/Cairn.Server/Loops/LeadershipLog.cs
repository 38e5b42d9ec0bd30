using Microsoft.Extensions.Logging;

namespace Cairn.Server.Loops;

/// <summary>What a node says about who leads. Event ids of <see cref="Log"/>'s range.</summary>
internal static partial class LeadershipLog
{
    /// <summary>A leader is known.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="leader">The leader.</param>
    /// <param name="term">Its term.</param>
    [LoggerMessage(2000, LogLevel.Information, "{MemberId:x} elected leader {Leader:x} at term {Term}")]
    public static partial void LeaderElected(this ILogger logger, ulong memberId, ulong leader, ulong term);

    /// <summary>This member leads; etcd's words, which scripts look for.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="term">In which term.</param>
    [LoggerMessage(2099, LogLevel.Information, "{MemberId:x} became leader at term {Term}")]
    public static partial void BecameLeader(this ILogger logger, ulong memberId, ulong term);

    /// <summary>The leader is gone.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="leader">The former leader.</param>
    /// <param name="term">The term now.</param>
    [LoggerMessage(2001, LogLevel.Warning, "{MemberId:x} lost leader {Leader:x} at term {Term}")]
    public static partial void LeaderLost(this ILogger logger, ulong memberId, ulong leader, ulong term);

    /// <summary>The leader's process has ended.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="leader">The leader.</param>
    [LoggerMessage(2027, LogLevel.Warning, "{MemberId:x} does not wait for leader {Leader:x}: its process has ended, its peer address refuses connections")]
    public static partial void LeaderEnded(this ILogger logger, ulong memberId, ulong leader);

    /// <summary>The leader is no member any more.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="leader">The leader.</param>
    [LoggerMessage(2094, LogLevel.Information, "{MemberId:x} does not wait for leader {Leader:x}: it was removed from the cluster")]
    public static partial void LeaderRemoved(this ILogger logger, ulong memberId, ulong leader);

    /// <summary>A member about to stop, or asked to, gave leadership away.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="target">Who was to lead.</param>
    /// <param name="took">How long it took.</param>
    [LoggerMessage(2090, LogLevel.Information, "leadership transfer finished: {LocalMemberId:x} to {Target:x} in {Took}")]
    public static partial void HandedOver(this ILogger logger, ulong localMemberId, ulong target, TimeSpan took);

    /// <summary>Nobody took leadership over in time.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="target">Who was to lead.</param>
    /// <param name="took">How long it was waited for.</param>
    [LoggerMessage(2091, LogLevel.Warning, "leadership transfer failed: {Target:x} did not take over from {LocalMemberId:x} within {Took}; the others elect a leader by themselves")]
    public static partial void NotHandedOver(this ILogger logger, ulong localMemberId, ulong target, TimeSpan took);

    /// <summary>Nobody can lead instead.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    [LoggerMessage(2092, LogLevel.Warning, "skipped leadership transfer; {LocalMemberId:x} hears no other voter")]
    public static partial void NobodyToHandOverTo(this ILogger logger, ulong localMemberId);
}
