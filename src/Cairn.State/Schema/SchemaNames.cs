using System.Text;

namespace Cairn.State.Schema;

/// <summary>Names of etcd's buckets, and of the rows that have fixed keys.</summary>
/// <remarks>Source: etcd server/storage/schema/bucket.go.</remarks>
internal static class SchemaNames
{
    public static readonly byte[] Alarm = "alarm"u8.ToArray();
    public static readonly byte[] Auth = "auth"u8.ToArray();
    public static readonly byte[] AuthRoles = "authRoles"u8.ToArray();
    public static readonly byte[] AuthUsers = "authUsers"u8.ToArray();
    public static readonly byte[] Cluster = "cluster"u8.ToArray();
    public static readonly byte[] Key = "key"u8.ToArray();
    public static readonly byte[] Lease = "lease"u8.ToArray();
    public static readonly byte[] Members = "members"u8.ToArray();
    public static readonly byte[] MembersRemoved = "members_removed"u8.ToArray();
    public static readonly byte[] Meta = "meta"u8.ToArray();

    public static readonly byte[] AuthEnabled = "authEnabled"u8.ToArray();
    public static readonly byte[] AuthRevision = "authRevision"u8.ToArray();
    public static readonly byte[] ClusterVersion = "clusterVersion"u8.ToArray();
    public static readonly byte[] Downgrade = "downgrade"u8.ToArray();
    public static readonly byte[] ConfState = "confState"u8.ToArray();
    public static readonly byte[] ConsistentIndex = "consistent_index"u8.ToArray();
    public static readonly byte[] FinishedCompaction = "finishedCompactRev"u8.ToArray();
    public static readonly byte[] ScheduledCompaction = "scheduledCompactRev"u8.ToArray();
    public static readonly byte[] StorageVersion = "storageVersion"u8.ToArray();
    public static readonly byte[] Term = "term"u8.ToArray();

    /// <summary>Value of the row of a removed member.</summary>
    public static readonly byte[] Removed = "removed"u8.ToArray();

    /// <summary>Makes the key of a member's row: its id in hexadecimal, without leading zeros.</summary>
    public static byte[] MemberKey(ulong id) => Encoding.ASCII.GetBytes(id.ToString("x", System.Globalization.CultureInfo.InvariantCulture));
}
