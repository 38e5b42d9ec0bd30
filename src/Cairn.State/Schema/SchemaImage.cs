using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Cairn.Bbolt;
using Cairn.Protocol;
using Cairn.State.Auth;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.Storage;
using Google.Protobuf;
using Row = System.Collections.Generic.KeyValuePair<System.ReadOnlyMemory<byte>, System.ReadOnlyMemory<byte>>;

namespace Cairn.State.Schema;

/// <summary>The state in etcd's schema: what its backend file would hold at the same index.</summary>
/// <remarks>
/// The buckets are those of 3.5 and 3.6 alike. What only Cairn knows is not in them. Source: etcd server/storage/schema, api/membership, server/auth.
/// </remarks>
public static class SchemaImage
{
    // The first version that says in its file which one it is.
    internal const string FirstStorageVersion = "3.6.0";

    /// <summary>Says which version of the schema an image has, as its row and Maintenance.Snapshot have it.</summary>
    /// <param name="members">The members, and with them the cluster's version.</param>
    /// <returns>The version; empty before 3.6.</returns>
    public static string StorageVersion(MemberTable members)
    {
        ArgumentNullException.ThrowIfNull(members);
        return Version.TryParse(members.ClusterVersion, out var version) && version >= Version.Parse(FirstStorageVersion) ? FirstStorageVersion : "";
    }

    /// <summary>Lists the buckets, for a <see cref="BboltPlanner"/>.</summary>
    /// <param name="capture">The state but for its rows.</param>
    /// <param name="view">The key space; taken between the same two entries as the capture.</param>
    /// <param name="members">Members to write instead of those of the state; null for those.</param>
    /// <returns>All buckets that etcd has, in order, also those that are empty. Their rows are read when they are asked for, on the caller's thread.</returns>
    public static IReadOnlyList<BboltBucketContent> Buckets(StateCapture capture, ReadView view, MemberTable? members = null)
    {
        ArgumentNullException.ThrowIfNull(capture);
        ArgumentNullException.ThrowIfNull(view);
        Invariant.Holds(capture.Revision == view.Revision && capture.Applied == view.Applied);
        Invariant.Holds(SmallState.TryDecode(capture.SmallState.Span, out var small));
        var keys = view.Keys;
        members ??= small.Members;
        return
        [
            Bucket(SchemaNames.Alarm, small.Alarms.All.Select(static alarm =>
                new Row(new AlarmMember { MemberID = alarm.MemberId, Alarm = alarm.Kind }.ToByteArray(), default))),
            Bucket(SchemaNames.Auth, AuthRowsOf(small.Auth)),
            Bucket(SchemaNames.AuthRoles, small.Auth.Roles.Values.Select(static role => new Row(Encoding.UTF8.GetBytes(role.Name), AuthRows.Message(role).ToByteArray()))),
            Bucket(SchemaNames.AuthUsers, small.Auth.Users.Values.Select(static user => new Row(Encoding.UTF8.GetBytes(user.Name), AuthRows.Message(user).ToByteArray()))),
            Bucket(SchemaNames.Cluster, ClusterRows(members)),
            new BboltBucketContent(SchemaNames.Key, () => new KeyBucketRows(keys)),
            Bucket(SchemaNames.Lease, small.Leases.Select(static lease => new Row(
                BigEndian((ulong)lease.Id),
                new Protocol.Leases.Lease { ID = lease.Id, TTL = lease.GrantedTtl, RemainingTTL = lease.RemainingTtl }.ToByteArray()))),
            MembersBucket(members),
            Bucket(SchemaNames.MembersRemoved, members.Removed.Select(static id => new Row(SchemaNames.MemberKey(id), SchemaNames.Removed))),
            Bucket(SchemaNames.Meta, MetaRows(capture, members)),
        ];
    }

    /// <summary>Makes the bucket of the members.</summary>
    /// <param name="members">The members.</param>
    /// <returns>The bucket.</returns>
    public static BboltBucketContent MembersBucket(MemberTable members)
    {
        ArgumentNullException.ThrowIfNull(members);
        return Bucket(SchemaNames.Members, members.Members.Select(static member => new Row(SchemaNames.MemberKey(member.Id), MemberJson.Encode(member))));
    }

    private static BboltBucketContent Bucket(byte[] name, IEnumerable<Row> rows)
    {
        Row[] sorted = [.. rows];
        Array.Sort(sorted, static (left, right) => left.Key.Span.SequenceCompareTo(right.Key.Span));
        return BboltBucketContent.Of(name, sorted);
    }

    private static IEnumerable<Row> AuthRowsOf(AuthTables auth)
    {
        yield return new Row(SchemaNames.AuthRevision, BigEndian(auth.Revision));
        if (auth.IsEnabled)
        {
            yield return new Row(SchemaNames.AuthEnabled, new byte[] { 1 });
        }
    }

    private static IEnumerable<Row> ClusterRows(MemberTable members)
    {
        if (members.ClusterVersion is { } version)
        {
            yield return new Row(SchemaNames.ClusterVersion, Encoding.UTF8.GetBytes(version));
        }

        if (members.Downgrade is { } downgrade)
        {
            yield return new Row(SchemaNames.Downgrade, Encoding.UTF8.GetBytes($$"""{"target-version":"{{downgrade.TargetVersion}}","enabled":true}"""));
        }
    }

    private static IEnumerable<Row> MetaRows(StateCapture capture, MemberTable members)
    {
        yield return new Row(SchemaNames.ConfState, ConfStateJson(members));
        yield return new Row(SchemaNames.ConsistentIndex, BigEndian(capture.Applied.Index));
        yield return new Row(SchemaNames.Term, BigEndian(capture.Applied.Term));
        if (capture.CompactedRevision > 0)
        {
            var revision = new byte[RowCodec.RevisionKeyLength];
            RowCodec.WriteRevisionKey(revision, new Revision(capture.CompactedRevision, 0), isTombstone: false);
            yield return new Row(SchemaNames.FinishedCompaction, revision);
            yield return new Row(SchemaNames.ScheduledCompaction, revision);
        }

        if (StorageVersion(members) is { Length: > 0 } version)
        {
            yield return new Row(SchemaNames.StorageVersion, Encoding.UTF8.GetBytes(version));
        }
    }

    /// <summary>As Go's JSON of raftpb.ConfState: lists that are empty are left out.</summary>
    private static byte[] ConfStateJson(MemberTable members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        WriteIds(writer, "voters", members.Voters);
        WriteIds(writer, "learners", members.Learners);
        writer.WriteBoolean("auto_leave", false);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteIds(Utf8JsonWriter writer, string name, IReadOnlyCollection<ulong> ids)
    {
        if (ids.Count == 0)
        {
            return;
        }

        writer.WriteStartArray(name);
        foreach (var id in ids.Order())
        {
            writer.WriteNumberValue(id);
        }

        writer.WriteEndArray();
    }

    private static byte[] BigEndian(ulong value)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }
}
