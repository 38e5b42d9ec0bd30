using Microsoft.Extensions.Logging;

namespace Cairn.Server;

/// <summary>What a node says. Event ids 2000 to 2999.</summary>
internal static partial class Log
{
    /// <summary>The log on disk cannot be written.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2002, LogLevel.Error, "the log could not be written, nothing is acknowledged until it can be: {Reason}")]
    public static partial void LogWriteFailed(this ILogger logger, string reason);

    /// <summary>The log on disk can be written again.</summary>
    /// <param name="logger">Where to.</param>
    [LoggerMessage(2003, LogLevel.Information, "the log was written again, acknowledgements resumed")]
    public static partial void LogWriteResumed(this ILogger logger);

    /// <summary>A sync takes long.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="took">How long it has taken.</param>
    /// <param name="expected">How long it may.</param>
    [LoggerMessage(2004, LogLevel.Warning, "slow fdatasync, took {Took}, expected-duration {Expected}")]
    public static partial void SlowSync(this ILogger logger, TimeSpan took, TimeSpan expected);

    /// <summary>The node started.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="clusterId">Its cluster.</param>
    /// <param name="applied">Applied index of the state that was loaded.</param>
    /// <param name="replay">Entries of the log behind it.</param>
    [LoggerMessage(2005, LogLevel.Information, "started member {MemberId:x} of cluster {ClusterId:x} from index {Applied}, {Replay} entries of the log to apply")]
    public static partial void Started(this ILogger logger, ulong memberId, ulong clusterId, ulong applied, int replay);

    /// <summary>A torn tail of the log was cut off.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="path">The segment.</param>
    /// <param name="offset">Where it ends now.</param>
    /// <param name="bytes">How much was cut off.</param>
    /// <param name="reason">What was wrong.</param>
    /// <param name="copy">Where the bytes were kept.</param>
    [LoggerMessage(2006, LogLevel.Warning, "a torn tail of {Path} was cut off at {Offset}: {Bytes} bytes, never acknowledged, kept in {Copy} ({Reason})")]
    public static partial void LogRepaired(this ILogger logger, string path, long offset, long bytes, string reason, string copy);

    /// <summary>State was written.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="applied">Applied index it covers.</param>
    /// <param name="took">How long it took.</param>
    [LoggerMessage(2007, LogLevel.Debug, "wrote the state up to index {Applied} in {Took}")]
    public static partial void StateWritten(this ILogger logger, ulong applied, TimeSpan took);

    /// <summary>State could not be written.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2008, LogLevel.Warning, "the state could not be written, the log is kept until it can be: {Reason}")]
    public static partial void StateWriteFailed(this ILogger logger, string reason);

    /// <summary>Attributes were published.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="name">Its name.</param>
    [LoggerMessage(2009, LogLevel.Information, "published local member to cluster through raft, local-member-id {MemberId:x}, name {Name}")]
    public static partial void Published(this ILogger logger, ulong memberId, string name);

    /// <summary>A loop ended by a failure.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="exception">The failure.</param>
    [LoggerMessage(2010, LogLevel.Critical, "the node stopped")]
    public static partial void NodeFailed(this ILogger logger, Exception exception);

    /// <summary>This member is not part of the cluster any more. Not in etcd's words, at which start scripts of charts delete the data directory.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    [LoggerMessage(2011, LogLevel.Warning, "{MemberId:x} was removed from the cluster; it stops serving")]
    public static partial void RemovedFromCluster(this ILogger logger, ulong memberId);

    /// <summary>Those who stay may not know of a removal after a restart.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="waited">How long it waited.</param>
    [LoggerMessage(2026, LogLevel.Warning, "{MemberId:x} waited {Waited} for the other members to write down that it was removed, and leaves without; if they find no leader, start it again: it helps to elect one")]
    public static partial void RemovalNotHeld(this ILogger logger, ulong memberId, TimeSpan waited);

    /// <summary>Space ran out.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="used">Bytes in use.</param>
    /// <param name="quota">The limit.</param>
    [LoggerMessage(2012, LogLevel.Warning, "raised alarm NOSPACE: {Used} bytes in use, quota {Quota}")]
    public static partial void SpaceExceeded(this ILogger logger, long used, long quota);

    /// <summary>Somebody set another limit.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="before">The limit before, in bytes; 0 is none.</param>
    /// <param name="quota">The limit from now on.</param>
    [LoggerMessage(2098, LogLevel.Information, "changed the quota of this member from {Before} to {Quota} bytes, until the process ends")]
    public static partial void QuotaChanged(this ILogger logger, long before, long quota);

    /// <summary>Space runs short.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="percent">Part of the limit.</param>
    /// <param name="used">Bytes in use.</param>
    /// <param name="quota">The limit.</param>
    [LoggerMessage(2022, LogLevel.Warning, "{Percent} % of the space quota is in use: {Used} of {Quota} bytes; at 100 % puts are refused")]
    public static partial void SpaceIsShort(this ILogger logger, int percent, long used, long quota);

    /// <summary>What takes the space is known.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="report">In words.</param>
    [LoggerMessage(2023, LogLevel.Error, "the store is full: {Report}")]
    public static partial void SpaceExplained(this ILogger logger, string report);

    /// <summary>A write took long.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="took">From its arrival until its effects could be seen.</param>
    /// <param name="expectedDuration">How long it may take.</param>
    /// <param name="request">What it was.</param>
    /// <param name="error">What the state machine said.</param>
    /// <param name="queue">Until the core took it.</param>
    /// <param name="replicate">Until it was committed.</param>
    /// <param name="sync">From when the core took it until it was durable here.</param>
    /// <param name="apply">From when it was committed.</param>
    /// <param name="leftOut">Others like it that were not logged.</param>
    [LoggerMessage(2024, LogLevel.Warning, "apply request took too long")]
    public static partial void SlowWrite(
        this ILogger logger, TimeSpan took, TimeSpan expectedDuration, string request, string error, TimeSpan queue, TimeSpan replicate, string sync, TimeSpan apply, long leftOut);

    /// <summary>A read took long.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="took">From its arrival, without sending the answer.</param>
    /// <param name="expectedDuration">How long it may take.</param>
    /// <param name="prefix">What kind of request it was.</param>
    /// <param name="request">What it was.</param>
    /// <param name="response">What the answer was.</param>
    /// <param name="queue">Until it was known that nothing acknowledged is missed.</param>
    /// <param name="read">From then on.</param>
    /// <param name="leftOut">Others like it that were not logged.</param>
    [LoggerMessage(2025, LogLevel.Warning, "apply request took too long")]
    public static partial void SlowRead(
        this ILogger logger, TimeSpan took, TimeSpan expectedDuration, string prefix, string request, string response, TimeSpan queue, TimeSpan read, long leftOut);

    /// <summary>The data directory does not last.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="directory">The directory.</param>
    /// <param name="kind">Kind of its file system.</param>
    [LoggerMessage(
        2026, LogLevel.Warning, "the data directory {Directory} is on {Kind}: all data ends with this container, or with the machine; mount a volume there")]
    public static partial void DirectoryIsEphemeral(this ILogger logger, string directory, string kind);

    /// <summary>The disk is slow.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="p50">Half of its syncs took no longer.</param>
    /// <param name="p99">99 of 100 took no longer.</param>
    /// <param name="rate">Syncs a second.</param>
    [LoggerMessage(
        2027,
        LogLevel.Warning,
        "the disk of the data directory is slow: a sync takes {P50} (p50) or {P99} (p99), {Rate} small writes a second; below 10 ms and above 500 are wanted; cairn check disk says more")]
    public static partial void DiskIsSlow(this ILogger logger, TimeSpan p50, TimeSpan p99, int rate);

    /// <summary>There is space again.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="used">Bytes in use.</param>
    /// <param name="quota">The limit.</param>
    [LoggerMessage(2013, LogLevel.Information, "cleared alarm NOSPACE: {Used} bytes in use, quota {Quota}")]
    public static partial void SpaceRegained(this ILogger logger, long used, long quota);

    /// <summary>History was compacted without being asked.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="revision">Up to where.</param>
    [LoggerMessage(2014, LogLevel.Information, "finished auto compaction, revision {Revision}")]
    public static partial void AutoCompacted(this ILogger logger, long revision);

    /// <summary>Segments were emptied.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="bytes">What it freed.</param>
    [LoggerMessage(2015, LogLevel.Debug, "cleaned segments, {Bytes} bytes freed once two manifests do not name them")]
    public static partial void Cleaned(this ILogger logger, long bytes);

    /// <summary>This leader hands over because of its disk.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="target">To whom.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2016, LogLevel.Warning, "handing leadership over to {Target:x}: {Reason}")]
    public static partial void HandsOver(this ILogger logger, ulong target, string reason);

    /// <summary>Somebody gave a wrong name or password.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="user">The name.</param>
    [LoggerMessage(2060, LogLevel.Warning, "invalid authentication was requested, user {User}")]
    public static partial void LoginRefused(this ILogger logger, string user);

    /// <summary>The disk is nearly full.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="available">What is left.</param>
    [LoggerMessage(2017, LogLevel.Error, "the disk is full but for {Available} bytes: only deletions, compaction, leases and reads go on until there is room")]
    public static partial void DiskFull(this ILogger logger, long available);

    /// <summary>There is room on the disk again.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="available">How much.</param>
    [LoggerMessage(2018, LogLevel.Information, "the disk has room again, {Available} bytes: all requests are served")]
    public static partial void DiskHasRoom(this ILogger logger, long available);

    /// <summary>A record is damaged.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="damage">File, offset, and what is wrong.</param>
    [LoggerMessage(2019, LogLevel.Error, "found damage: {Damage}")]
    public static partial void DamageFound(this ILogger logger, string damage);

    /// <summary>A damaged segment was written anew.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="segment">Which.</param>
    /// <param name="kept">Records that were sound.</param>
    /// <param name="fetched">Records that other members had.</param>
    [LoggerMessage(2020, LogLevel.Warning, "wrote the records of damaged segment {Segment:x8} anew: {Kept} were sound, {Fetched} came from other members")]
    public static partial void SegmentHealed(this ILogger logger, uint segment, int kept, int fetched);

    /// <summary>A record is lost here, and nobody else has it.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="segment">Its segment.</param>
    /// <param name="offset">Where in its file.</param>
    /// <param name="revision">Its revision.</param>
    /// <param name="key">Its key.</param>
    [LoggerMessage(2021, LogLevel.Error, "segment {Segment:x8}, offset {Offset}: the record of revision {Revision} (key {Key}) cannot be read, and no other member has it")]
    public static partial void RecordLost(this ILogger logger, uint segment, uint offset, string revision, string key);

    /// <summary>A member without a cluster waits.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="reason">For what.</param>
    [LoggerMessage(2030, LogLevel.Warning, "the member waits before it serves: {Reason}")]
    public static partial void FoundingWaits(this ILogger logger, string reason);

    /// <summary>The founders of a cluster are known.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="clusterId">The cluster.</param>
    /// <param name="foundingId">The founding.</param>
    [LoggerMessage(2031, LogLevel.Information, "agreed to found cluster {ClusterId:x}, founding {FoundingId:x}")]
    public static partial void FoundingAgreed(this ILogger logger, ulong clusterId, ulong foundingId);

    /// <summary>A process is not heard.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">The member for which it speaks.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2032, LogLevel.Warning, "a process that speaks for member {MemberId:x} is not heard: {Reason}")]
    public static partial void PeerNotHeard(this ILogger logger, ulong memberId, string reason);

    /// <summary>This process is not heard.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2033, LogLevel.Error, "this data directory must not speak for member {MemberId:x} any more, it neither votes nor acknowledges: {Reason}")]
    public static partial void Fenced(this ILogger logger, ulong memberId, string reason);

    /// <summary>This process is not heard by one of the others.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="disputedBy">Who does not hear it.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2036, LogLevel.Warning, "member {MemberId:x} is silent until the cluster decides which process speaks for it; member {DisputedBy:x} does not hear this one: {Reason}")]
    public static partial void Disputed(this ILogger logger, ulong memberId, ulong disputedBy, string reason);

    /// <summary>A dispute is settled.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="left">How many others still contradict.</param>
    [LoggerMessage(2037, LogLevel.Information, "a dispute about who speaks for member {MemberId:x} was settled in favour of this process, {Left} are left")]
    public static partial void DisputeSettled(this ILogger logger, ulong memberId, int left);

    /// <summary>This member has new peer URLs.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">This member.</param>
    /// <param name="urls">The URLs.</param>
    [LoggerMessage(2035, LogLevel.Information, "member {MemberId:x} published that it has moved to {Urls}")]
    public static partial void Moved(this ILogger logger, ulong memberId, string urls);

    /// <summary>Flags contradict the data directory.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="flags">Which, and what holds.</param>
    [LoggerMessage(2034, LogLevel.Warning, "flags that contradict the data directory are ignored: {Flags}")]
    public static partial void FlagsIgnored(this ILogger logger, string flags);

    /// <summary>A heal began.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="healId">The heal.</param>
    /// <param name="kind">What it does.</param>
    /// <param name="oldMember">Who leaves.</param>
    /// <param name="newMember">Who joins.</param>
    /// <param name="detected">What is wrong.</param>
    /// <param name="evidence">How that is known.</param>
    /// <param name="decision">What is done.</param>
    /// <param name="safety">Why that can lose nothing.</param>
    [LoggerMessage(
        2040,
        LogLevel.Warning,
        "heal {HealId} began: {Kind}, old {OldMember:x}, new {NewMember:x}; detected: {Detected}; evidence: {Evidence}; decision: {Decision}; safety: {Safety}")]
    public static partial void HealBegan(
        this ILogger logger, ulong healId, string kind, ulong oldMember, ulong newMember, string detected, string evidence, string decision, string safety);

    /// <summary>A step of a heal was carried out.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="healId">The heal.</param>
    /// <param name="step">The step.</param>
    /// <param name="took">How long it took.</param>
    [LoggerMessage(2041, LogLevel.Information, "heal {HealId}: {Step}, took {Took}")]
    public static partial void HealStepped(this ILogger logger, ulong healId, string step, TimeSpan took);

    /// <summary>A heal ended.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="healId">The heal.</param>
    /// <param name="outcome">How.</param>
    /// <param name="result">In words.</param>
    /// <param name="took">Since it began.</param>
    [LoggerMessage(2042, LogLevel.Warning, "heal {HealId} ended: {Outcome}, {Result}, took {Took}")]
    public static partial void HealEnded(this ILogger logger, ulong healId, string outcome, string result, TimeSpan took);

    /// <summary>A step of a heal was refused.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="step">The step.</param>
    /// <param name="error">The refusal.</param>
    [LoggerMessage(2043, LogLevel.Warning, "healing could not {Step}: {Error}; it looks again")]
    public static partial void HealRefused(this ILogger logger, string step, NodeError error);

    /// <summary>Something is not as it should be, and nothing is done about it now.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="notice">What, and why.</param>
    [LoggerMessage(2044, LogLevel.Warning, "healing waits: {Notice}")]
    public static partial void HealWaits(this ILogger logger, string notice);

    /// <summary>A removed member waits for a place.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="reason">What for.</param>
    [LoggerMessage(2045, LogLevel.Warning, "this member does not serve: {Reason}")]
    public static partial void ReadmissionWaits(this ILogger logger, string reason);

    /// <summary>Two clusters hold what one should.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="text">Which, and what a person can do.</param>
    [LoggerMessage(2058, LogLevel.Error, "{Text}")]
    public static partial void Split(this ILogger logger, string text);

    /// <summary>A file could not be used as it was.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="path">Which.</param>
    [LoggerMessage(2057, LogLevel.Warning, "{Path} could not be read and written by its owner, who runs this process: its mode was changed")]
    public static partial void ModeMended(this ILogger logger, string path);

    /// <summary>Data was moved aside.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">The member whose it was.</param>
    /// <param name="name">Where it is.</param>
    [LoggerMessage(2046, LogLevel.Warning, "moved the data of member {MemberId:x} to quarantine/{Name}; nothing there is ever deleted by the server")]
    public static partial void Quarantined(this ILogger logger, ulong memberId, string name);

    /// <summary>A new epoch was founded on this directory.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="epoch">The cluster.</param>
    /// <param name="former">The cluster that was lost.</param>
    /// <param name="name">Where its log is.</param>
    /// <param name="loss">What may be lost.</param>
    [LoggerMessage(2047, LogLevel.Warning, "founded epoch {Epoch:x} after cluster {Former:x}, whose log is in quarantine/{Name}; {Loss}")]
    public static partial void EpochFounded(this ILogger logger, ulong epoch, ulong former, string name, string loss);

    /// <summary>The state of recovery has changed.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="text">What is known, and what is waited for.</param>
    [LoggerMessage(2048, LogLevel.Warning, "no quorum: {Text}")]
    public static partial void RecoveryWaits(this ILogger logger, string text);

    /// <summary>This directory gave a promise.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="epoch">The cluster to come.</param>
    /// <param name="former">The cluster that was lost.</param>
    /// <param name="founder">Who founds it.</param>
    [LoggerMessage(2049, LogLevel.Warning, "takes no part in cluster {Former:x} any more: promised itself to epoch {Epoch:x}, which {Founder} founds")]
    public static partial void EpochPromised(this ILogger logger, ulong epoch, ulong former, string founder);

    /// <summary>The cluster goes on without this member's epoch.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="former">The cluster of this directory.</param>
    /// <param name="epoch">The cluster that followed.</param>
    /// <param name="url">Who says so.</param>
    /// <param name="index">The end of this log.</param>
    [LoggerMessage(2050, LogLevel.Warning,
        "cluster {Former:x} was lost and goes on as epoch {Epoch:x}, says {Url}: this directory is fenced, and asks for a place there; its log ends at index {Index}")]
    public static partial void Superseded(this ILogger logger, ulong former, ulong epoch, string url, ulong index);

    /// <summary>A member begins to take a state.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">The member.</param>
    /// <param name="index">Index of the state.</param>
    /// <param name="from">Revision that the member has.</param>
    /// <param name="revision">Revision of the state.</param>
    /// <param name="rows">Rows that it lacks.</param>
    /// <param name="bytes">Their size.</param>
    [LoggerMessage(2093, LogLevel.Information, "sending database snapshot to remote peer {MemberId:x}: index {Index}, revisions {From} to {Revision}, {Rows} rows, {Bytes} bytes")]
    public static partial void SendingState(this ILogger logger, ulong memberId, ulong index, long from, long revision, long rows, long bytes);

    /// <summary>A member has the state.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">The member.</param>
    /// <param name="bytes">What was sent.</param>
    /// <param name="took">How long it took.</param>
    [LoggerMessage(2061, LogLevel.Information, "sent database snapshot to remote peer {MemberId:x}: {Bytes} bytes in {Took}")]
    public static partial void StateSent(this ILogger logger, ulong memberId, long bytes, TimeSpan took);

    /// <summary>A member could not be given a state.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="memberId">The member.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2062, LogLevel.Warning, "failed to send database snapshot to remote peer {MemberId:x}: {Reason}; offering it again")]
    public static partial void StateNotSent(this ILogger logger, ulong memberId, string reason);

    /// <summary>This member begins to take a state.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="from">The sender.</param>
    /// <param name="index">Index that this member has applied.</param>
    /// <param name="revision">Revision that it has.</param>
    [LoggerMessage(2063, LogLevel.Information, "receiving database snapshot from {From:x}; has index {Index}, revision {Revision}")]
    public static partial void ReceivingState(this ILogger logger, ulong from, ulong index, long revision);

    /// <summary>Part of a state is here.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="from">The sender.</param>
    /// <param name="rows">Rows so far.</param>
    /// <param name="total">Rows in all.</param>
    /// <param name="bytes">Bytes so far.</param>
    [LoggerMessage(2064, LogLevel.Information, "receiving database snapshot from {From:x}: {Rows} of {Total} rows, {Bytes} bytes")]
    public static partial void ReceivedPart(this ILogger logger, ulong from, long rows, long total, long bytes);

    /// <summary>A state was received and is in force.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="from">The sender.</param>
    /// <param name="index">Its index.</param>
    /// <param name="rows">Rows that came.</param>
    /// <param name="bytes">Bytes that came.</param>
    [LoggerMessage(2065, LogLevel.Information, "received and installed database snapshot from {From:x}: index {Index}, {Rows} rows, {Bytes} bytes")]
    public static partial void ReceivedState(this ILogger logger, ulong from, ulong index, long rows, long bytes);

    /// <summary>A state was not received.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="from">The sender.</param>
    /// <param name="reason">Why.</param>
    [LoggerMessage(2066, LogLevel.Warning, "failed to receive database snapshot from {From:x}: {Reason}")]
    public static partial void StateNotReceived(this ILogger logger, ulong from, string reason);

    /// <summary>The directory is etcd's.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="directory">Where etcd's files are.</param>
    [LoggerMessage(2080, LogLevel.Information, "found files of etcd in {Directory}; verifying them before anything is changed")]
    public static partial void EtcdFilesFound(this ILogger logger, string directory);

    /// <summary>The store has what was in the backend.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="index">Its index.</param>
    /// <param name="revision">Its revision.</param>
    /// <param name="rows">Rows of the key space.</param>
    /// <param name="bytes">Bytes in them.</param>
    /// <param name="took">How long it took, without verifying.</param>
    [LoggerMessage(2081, LogLevel.Information, "took over {Backend} at index {Index}, revision {Revision}: {Rows} rows of {Bytes} bytes in {Took}")]
    public static partial void EtcdFilesTakenOver(this ILogger logger, string backend, ulong index, long revision, long rows, long bytes, TimeSpan took);

    /// <summary>What was taken over is out of the way.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="directory">Where the files were.</param>
    /// <param name="aside">Where they are.</param>
    [LoggerMessage(2082, LogLevel.Information, "moved the files of etcd from {Directory} to {Aside}; nothing was deleted")]
    public static partial void EtcdFilesPutAside(this ILogger logger, string directory, string aside);
}
