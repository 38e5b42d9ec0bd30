using Microsoft.Extensions.Logging;

namespace Cairn.Server.Healing;

/// <summary>What a node says about stores and logs that are not what they should be. Event ids 2100 to 2119.</summary>
internal static partial class StoreLog
{
    /// <summary>The store is not used any more.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2100, LogLevel.Warning, "heal=refetch-store {LocalMemberId:x}: nothing of the store is served any more, all of it is fetched from other members under the same id, because {Reason}")]
    public static partial void StoreAside(this ILogger logger, ulong localMemberId, string reason);

    /// <summary>The store is whole again.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="index">Index of the state that came.</param>
    /// <param name="took">How long it took.</param>
    [LoggerMessage(2101, LogLevel.Information, "heal=refetch-store {LocalMemberId:x}: the store was replaced by the state of index {Index} in {Took}; the old one is in quarantine, the log goes on")]
    public static partial void StoreFetched(this ILogger logger, ulong localMemberId, ulong index, TimeSpan took);

    /// <summary>The store has not come yet.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="reason">What is waited for.</param>
    [LoggerMessage(2102, LogLevel.Warning, "{Reason}")]
    public static partial void StoreFetchWaits(this ILogger logger, string reason);

    /// <summary>The member serves nothing any more.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2103, LogLevel.Warning, "heal=refetch-store {LocalMemberId:x}: this member steps aside, because {Reason}")]
    public static partial void SteppedAside(this ILogger logger, ulong localMemberId, string reason);

    /// <summary>Hashes are compared before anything is served.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    [LoggerMessage(2104, LogLevel.Information, "starting initial corruption check of {LocalMemberId:x}")]
    public static partial void InitialHashCheckBegan(this ILogger logger, ulong localMemberId);

    /// <summary>They are equal, or could not be had.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    [LoggerMessage(2105, LogLevel.Information, "initial corruption checking passed; no corruption ({LocalMemberId:x})")]
    public static partial void InitialHashCheckPassed(this ILogger logger, ulong localMemberId);

    /// <summary>One differs.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="revision">Of the hash.</param>
    /// <param name="compactRevision">The compaction that it takes as done.</param>
    /// <param name="hash">The hash here.</param>
    /// <param name="remotePeerId">The other member.</param>
    /// <param name="remotePeerHash">Its hash.</param>
    [LoggerMessage(2106, LogLevel.Warning, "found different hash values from remote peer: {Hash:x8} on {LocalMemberId:x}, {RemotePeerHash:x8} on {RemotePeerId:x}, at revision {Revision} above compaction {CompactRevision}")]
    public static partial void InitialHashDiffers(this ILogger logger, ulong localMemberId, long revision, long compactRevision, uint hash, ulong remotePeerId, uint remotePeerHash);

    /// <summary>One cannot be compared.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="revision">Of the hash.</param>
    /// <param name="compactRevision">The compaction that it takes as done.</param>
    /// <param name="remotePeerId">The other member.</param>
    /// <param name="remotePeerRevision">Its revision.</param>
    /// <param name="remotePeerCompactRevision">Its compaction.</param>
    [LoggerMessage(2107, LogLevel.Warning, "found different compact revision values from remote peer: {CompactRevision} at {Revision} on {LocalMemberId:x}, {RemotePeerCompactRevision} at {RemotePeerRevision} on {RemotePeerId:x}")]
    public static partial void InitialCompactionDiffers(this ILogger logger, ulong localMemberId, long revision, long compactRevision, ulong remotePeerId, long remotePeerRevision, long remotePeerCompactRevision);

    /// <summary>One was not had.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="revision">Of the hash.</param>
    /// <param name="remotePeerId">The other member.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2108, LogLevel.Warning, "cannot fetch hash from remote peer {RemotePeerId:x} for revision {Revision} of {LocalMemberId:x}: {Reason}")]
    public static partial void InitialHashMissing(this ILogger logger, ulong localMemberId, long revision, ulong remotePeerId, string reason);

    /// <summary>All members have the same hash of a compaction.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="peers">Members asked.</param>
    /// <param name="revision">Of the hash.</param>
    /// <param name="compactRevision">The compaction that it takes as done.</param>
    [LoggerMessage(2109, LogLevel.Debug, "successfully checked hash on whole cluster: {Peers} peers at revision {Revision} above compaction {CompactRevision}")]
    public static partial void CompactionHashesAgreed(this ILogger logger, int peers, long revision, long compactRevision);

    /// <summary>All members have the same hash.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="peers">Members asked.</param>
    [LoggerMessage(2110, LogLevel.Information, "finished peer corruption check of {Peers} peers")]
    public static partial void HashCheckFinished(this ILogger logger, int peers);

    /// <summary>Hashes differ.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="revision">Of the hash.</param>
    /// <param name="compactRevision">The compaction that it takes as done.</param>
    /// <param name="hash">The hash here.</param>
    /// <param name="other">The hash that counts.</param>
    /// <param name="peerIds">Who differs from it.</param>
    /// <param name="quorumExist">Whether most members have it.</param>
    [LoggerMessage(2111, LogLevel.Error, "Detected compaction hash mismatch: {Hash:x8} on {LocalMemberId:x} at revision {Revision} above compaction {CompactRevision}; {PeerIds} have not {Other:x8}; quorum-exist {QuorumExist}")]
    public static partial void HashesDiffer(this ILogger logger, ulong localMemberId, long revision, long compactRevision, uint hash, uint other, string peerIds, bool quorumExist);

    /// <summary>Nobody knows who is wrong.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="revision">Of the hash.</param>
    /// <param name="compactRevision">The compaction that it takes as done.</param>
    /// <param name="hash">The hash here.</param>
    [LoggerMessage(2112, LogLevel.Error, "Detected compaction hash mismatch but cannot identify the corrupted members, so intentionally set the memberID as 0: {Hash:x8} on {LocalMemberId:x} at revision {Revision} above compaction {CompactRevision}")]
    public static partial void HashesSplit(this ILogger logger, ulong localMemberId, long revision, long compactRevision, uint hash);

    /// <summary>What is stored here may be wrong.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2113, LogLevel.Error, "{LocalMemberId:x} serves nothing of what it stores: {Reason}")]
    public static partial void StoreDistrusted(this ILogger logger, ulong localMemberId, string reason);

    /// <summary>The alarm is cleared.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">Whom it was about.</param>
    [LoggerMessage(2114, LogLevel.Information, "all members have the same hash again: alarm CORRUPT of {MemberId:x} cleared")]
    public static partial void HashesAgreeAgain(this ILogger logger, ulong memberId);

    /// <summary>A log without another copy lost something.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="loss">What.</param>
    [LoggerMessage(2115, LogLevel.Error, "the log of {LocalMemberId:x} is damaged and there is no other copy: {Loss}; what is left is served, writes wait until the alarm CORRUPT is disarmed")]
    public static partial void LogSalvaged(this ILogger logger, ulong localMemberId, string loss);

    /// <summary>A log without another copy was damaged where nobody needs it.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="damage">What was found.</param>
    /// <param name="appliedIndex">What the state holds now.</param>
    [LoggerMessage(2117, LogLevel.Warning, "the log of {LocalMemberId:x} was damaged below its state: {Damage}; nothing is lost, the state holds all up to index {AppliedIndex}, and a new log begins there")]
    public static partial void LogRestored(this ILogger logger, ulong localMemberId, string damage, ulong appliedIndex);

    /// <summary>A store without another copy is damaged.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="localMemberId">This member.</param>
    /// <param name="loss">What is lost.</param>
    [LoggerMessage(2116, LogLevel.Error, "the store of {LocalMemberId:x} is damaged and there is no other copy: {Loss}; what is left is served, writes wait as long as the alarm CORRUPT stands")]
    public static partial void StoreSalvaged(this ILogger logger, ulong localMemberId, string loss);
}
