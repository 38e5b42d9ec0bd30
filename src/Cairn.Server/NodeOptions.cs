using System.Collections.Immutable;

namespace Cairn.Server;

/// <summary>What a node is told at start. Identity, once on disk, wins over what is said here.</summary>
public sealed record NodeOptions
{
    /// <summary>Name of this member, for people.</summary>
    public string Name { get; init; } = "default";

    /// <summary>Directory that holds everything; the path that <see cref="Node.OpenAsync"/> hands to the disk.</summary>
    public string DataDirectory { get; init; } = "default.etcd";

    /// <summary>Directory of the log alone, on a disk of its own perhaps; null for within the data directory.</summary>
    public string? LogDirectory { get; init; }

    /// <summary>Peer URLs of this member, as advertised.</summary>
    public ImmutableArray<string> PeerUrls { get; init; } = ["http://localhost:2380"];

    /// <summary>Whether these were given explicitly, so that the cluster is told when they differ from those that it knows.</summary>
    public bool PublishesPeerUrls { get; init; }

    /// <summary>Client URLs of this member, as advertised; published through the log after start.</summary>
    public ImmutableArray<string> ClientUrls { get; init; } = ["http://localhost:2379"];

    /// <summary>Members of a new cluster, this one included. Empty means: this one alone.</summary>
    public ImmutableArray<InitialMember> InitialCluster { get; init; } = [];

    /// <summary>Whether the others of <see cref="InitialCluster"/> are listed by their addresses, and go by the names that they give themselves.</summary>
    public bool LearnsNames { get; init; }

    /// <summary>Whether an empty data directory means that a running cluster is to be joined, and none founded.</summary>
    public bool IsJoining { get; init; }

    /// <summary>Whom an empty data directory waits for before it founds a cluster.</summary>
    public BootstrapRule Bootstrap { get; init; } = BootstrapRule.All;

    /// <summary>How long a member whose list names only itself listens for peers that know it already, before it founds a cluster.</summary>
    public TimeSpan ListenBeforeFounding { get; init; }

    /// <summary>Token from which, with the peer URLs, the ids of a new cluster are computed.</summary>
    public string ClusterToken { get; init; } = "etcd-cluster";

    /// <summary>Length of one tick, and the interval between heartbeats.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a follower waits for a leader before it stands for election; a multiple of the heartbeat.</summary>
    public TimeSpan ElectionTimeout { get; init; } = TimeSpan.FromMilliseconds(1000);

    /// <summary>Whether an election is preceded by a poll that disturbs nobody.</summary>
    public bool PreVote { get; init; } = true;

    /// <summary>Largest marshalled proposal, in bytes.</summary>
    public int RequestBytesMax { get; init; } = 1536 * 1024;

    /// <summary>Most operations of one list of a transaction.</summary>
    public int TxnOperationsMax { get; init; } = 128;

    /// <summary>Bytes that live and retained history may take; above it writes are refused. 0 is etcd's default of 2 GiB, negative is no limit.</summary>
    public long QuotaBytes { get; init; }

    /// <summary>Room on the disk that is kept for the day on which it is full; at most an eighth of the disk. 0 is none.</summary>
    public long ReserveBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>Requests that take longer are logged, with what took so long.</summary>
    public TimeSpan WarnApplyAfter { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether the disk is measured at start, for a moment, so that one that is too slow is named.</summary>
    public bool MeasuresDisk { get; init; }

    /// <summary>Whether a data directory that ends with its container is refused.</summary>
    public bool RequiresDurableDirectory { get; init; }

    /// <summary>Period of the progress messages of watchers that asked for them; at least 100 ms.</summary>
    public TimeSpan WatchProgressInterval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Which history automatic compaction keeps.</summary>
    public CompactionMode CompactionMode { get; init; } = CompactionMode.Off;

    /// <summary>Window that periodic compaction keeps.</summary>
    public TimeSpan CompactionWindow { get; init; }

    /// <summary>Number of revisions that compaction by revision keeps.</summary>
    public long CompactionRevisions { get; init; }

    /// <summary>Applied entries after which state is written to disk in the background, so that the log before it can go.</summary>
    public long SnapshotEntries { get; init; } = 10_000;

    /// <summary>Applied entries kept in memory for peers that are behind: a restart of a peer needs no transfer of state. Every member pays for them, a lone one too.</summary>
    public long CatchUpEntries { get; init; } = 20_000;

    /// <summary>Bytes a second that go to members which need a state, so that clients do not notice; at least 1.</summary>
    public long TransferBytesPerSecondMax { get; init; } = 32L * 1024 * 1024;

    /// <summary>
    /// Bytes a second of the states that operators save, all together, so that writes do not notice; at least 1. Whoever saves to the disk of the log and syncs as
    /// it comes, as <c>cairn snapshot save</c> does, leaves the disk to the log most of the time.
    /// </summary>
    public long SnapshotBytesPerSecondMax { get; init; } = 96L * 1024 * 1024;

    /// <summary>Version of etcd whose behaviour is shown to clients ("3.6.14").</summary>
    public string ServerVersion { get; init; } = "3.6.14";

    /// <summary>Whether membership changes that endanger the quorum are refused.</summary>
    public bool StrictReconfigCheck { get; init; } = true;

    /// <summary>How long a running member that was removed waits to be stopped before it is evicted: whoever removes it in a stop hook stops it at once.</summary>
    public TimeSpan EvictAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether the hash of the key space is compared with those of other members before anything is served.</summary>
    public bool ChecksHashAtStart { get; init; }

    /// <summary>Interval at which a leader compares hashes of all that is stored, which reads all of it on every member; 0 for never.</summary>
    public TimeSpan HashCheckInterval { get; init; }

    /// <summary>Interval at which a leader compares the hashes that are kept of compactions, which costs nothing.</summary>
    public TimeSpan CompactionHashCheckInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How much healing may do by itself.</summary>
    public HealMode Heal { get; init; } = HealMode.Auto;

    /// <summary>Whether this member is a spare learner: it joins without a vote, and gets one when a voter is gone for good.</summary>
    public bool IsStandby { get; init; }

    /// <summary>How long a member that is gone may cost the cluster its reserve before healing does without it.</summary>
    public TimeSpan HealReplaceAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether a cluster that lost a majority for good may go on from the best survivor without a person.</summary>
    public RecoverMode HealRecover { get; init; } = RecoverMode.Propose;

    /// <summary>How long such a cluster waits for a disk to come back before it goes on by itself.</summary>
    public TimeSpan HealRecoverAfter { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Most learners at a time.</summary>
    public int LearnersMax { get; init; } = 1;

    /// <summary>How users are recognised.</summary>
    public Auth.AuthOptions Auth { get; init; } = new();
}

/// <summary>One member of a cluster to be founded.</summary>
/// <param name="Name">Its name.</param>
/// <param name="PeerUrls">Its peer URLs.</param>
public sealed record InitialMember(string Name, ImmutableArray<string> PeerUrls);

/// <summary>How history is compacted without being asked.</summary>
public enum CompactionMode
{
    /// <summary>Not at all.</summary>
    Off,

    /// <summary>A window of time is kept.</summary>
    Periodic,

    /// <summary>A number of revisions is kept.</summary>
    Revision,
}

/// <summary>How much healing may do by itself.</summary>
public enum HealMode
{
    /// <summary>Everything that can be proven safe.</summary>
    Auto,

    /// <summary>Nothing but what somebody approved.</summary>
    Propose,

    /// <summary>Nothing, and it says nothing.</summary>
    Off,
}

/// <summary>Who decides that a lost majority will not come back.</summary>
public enum RecoverMode
{
    /// <summary>A person, by <c>cairn recover</c>.</summary>
    Propose,

    /// <summary>The survivors, once all others have attested that their disks are empty.</summary>
    Auto,
}

/// <summary>Whom an empty data directory waits for before it founds a cluster.</summary>
public enum BootstrapRule
{
    /// <summary>Every listed member says that it is empty.</summary>
    All,

    /// <summary>Most listed members say so: etcd's rule, under which a wiped majority founds an empty cluster beside a disk that has the data.</summary>
    Quorum,
}
