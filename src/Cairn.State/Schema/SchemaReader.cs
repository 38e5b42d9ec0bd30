using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Cairn.Bbolt;
using Cairn.Protocol;
using Cairn.State.Alarms;
using Cairn.State.Auth;
using Cairn.State.Lease;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.State.Schema;

/// <summary>Reads etcd's backend file, of 3.5 and 3.6, believing nothing: what is not as etcd writes it is reported with its place in the file.</summary>
/// <remarks>Source: etcd server/storage/schema, server/lease, server/auth, server/etcdserver/api/membership.</remarks>
public sealed class SchemaReader
{
    private readonly string _path;
    private readonly BboltFile _file;
    private readonly SmallState _small = new();
    private bool _isAuthEnabled;
    private ulong _authRevision = AuthTables.Empty.Revision;
    private ulong? _index;
    private ulong? _term;
    private long _compacted = -1;
    private string? _storageVersion;

    private SchemaReader(string path, BboltFile file)
    {
        _path = path;
        _file = file;
    }

    /// <summary>Reads everything once: small state, and all rows for what they must be.</summary>
    /// <param name="path">Of the file, for messages.</param>
    /// <param name="file">The file.</param>
    /// <returns>The state; at index 0 if nothing was ever applied.</returns>
    /// <exception cref="CorruptionException">Something is not as etcd writes it; says where, and what to do.</exception>
    public static EtcdState Read(string path, BboltFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        try
        {
            return new SchemaReader(path, file).Read();
        }
        catch (BboltCorruptionException damage)
        {
            throw new CorruptionException(path, damage.Offset, damage.Finding.What);
        }
    }

    /// <summary>Begins to walk over the rows of the key space.</summary>
    /// <param name="path">Of the file, for messages.</param>
    /// <param name="file">The file.</param>
    /// <returns>The rows, before the first.</returns>
    public static EtcdRows OpenRows(string path, BboltFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new EtcdRows(path, file);
    }

    private EtcdState Read()
    {
        ReadBucket(SchemaNames.Meta, TakeMeta);
        ReadBucket(SchemaNames.Alarm, TakeAlarm);
        ReadBucket(SchemaNames.Auth, TakeAuth);
        _small.Auth = AuthTables.Empty;
        ReadBucket(SchemaNames.AuthRoles, TakeRole);
        ReadBucket(SchemaNames.AuthUsers, TakeUser);
        _small.Auth = _small.Auth.Switched(_isAuthEnabled, _authRevision);
        ReadBucket(SchemaNames.Cluster, TakeCluster);
        ReadBucket(SchemaNames.Lease, TakeLease);
        ReadBucket(SchemaNames.Members, TakeMember);
        ReadBucket(SchemaNames.MembersRemoved, TakeRemoved);
        _small.Members = _small.Members with
        {
            Members = [.. _small.Members.Members.OrderBy(static member => member.Id)],
            Removed = [.. _small.Members.Removed.Order()],
        };
        return ReadRows();
    }

    private EtcdState ReadRows()
    {
        var rows = OpenRows(_path, _file);
        long count = 0, bytes = 0;
        while (rows.MoveNext())
        {
            count++;
            bytes += rows.Payload.Length;
        }

        if (_index is null && count > 0)
        {
            throw new CorruptionException(_path, 0, $"the backend has {count} rows and does not say at which index it is");
        }

        _small.Applied = new AppliedPosition(_index ?? 0, _term ?? 0);
        _small.Revision = Math.Max(1, Math.Max(rows.LastMain, _compacted));
        _small.CompactedRevision = _compacted;
        return new EtcdState(_small) { NamesTerm = _index is null || _term is not null, StorageVersion = _storageVersion, Rows = count, RowBytes = bytes };
    }

    private void ReadBucket(byte[] name, Action<BboltCursor> take)
    {
        if (!_file.TryOpenBucket(name, out var bucket))
        {
            return;
        }

        for (var row = bucket.OpenCursor(); row.MoveNext();)
        {
            try
            {
                take(row);
            }
            catch (InvalidProtocolBufferException e)
            {
                throw new CorruptionException(_path, row.Offset, $"a row of the bucket {Encoding.ASCII.GetString(name)} is no message: {e.Message}");
            }
        }
    }

    private void TakeMeta(BboltCursor row)
    {
        if (row.Key.SequenceEqual(SchemaNames.ConsistentIndex))
        {
            _index = Number(row);
        }
        else if (row.Key.SequenceEqual(SchemaNames.Term))
        {
            _term = Number(row);
        }
        else if (row.Key.SequenceEqual(SchemaNames.ScheduledCompaction) || row.Key.SequenceEqual(SchemaNames.FinishedCompaction))
        {
            // A compaction that was scheduled counts: its sweep goes on at the next start, etcd's or ours.
            Require(row, row.Value.Length == RowCodec.RevisionKeyLength, "a revision");
            var revision = BinaryPrimitives.ReadInt64BigEndian(row.Value);
            Require(row, revision >= 0, "a revision");
            _compacted = Math.Max(_compacted, revision);
        }
        else if (row.Key.SequenceEqual(SchemaNames.StorageVersion))
        {
            _storageVersion = Encoding.UTF8.GetString(row.Value);
            Require(row, _storageVersion == SchemaImage.FirstStorageVersion, $"a storage version that is known, which are none and {SchemaImage.FirstStorageVersion}");
        }
    }

    private void TakeAlarm(BboltCursor row)
    {
        var alarm = AlarmMember.Parser.ParseGuarded(row.Key);
        Require(row, alarm.Alarm is AlarmType.Nospace or AlarmType.Corrupt, "an alarm");
        _small.Alarms = _small.Alarms.With(new Alarm(alarm.MemberID, alarm.Alarm));
    }

    private void TakeAuth(BboltCursor row)
    {
        if (row.Key.SequenceEqual(SchemaNames.AuthEnabled))
        {
            Require(row, row.Value.Length == 1 && row.Value[0] <= 1, "a switch");
            _isAuthEnabled = row.Value[0] == 1;
        }
        else if (row.Key.SequenceEqual(SchemaNames.AuthRevision))
        {
            _authRevision = Number(row);
            Require(row, _authRevision > 0, "a revision");
        }
    }

    private void TakeRole(BboltCursor row)
    {
        var role = AuthRows.Read(Role.Parser.ParseGuarded(row.Value));
        Require(row, Encoding.UTF8.GetBytes(role.Name).AsSpan().SequenceEqual(row.Key), "the role of its key");
        _small.Auth = _small.Auth.With(role);
    }

    private void TakeUser(BboltCursor row)
    {
        var user = AuthRows.Read(User.Parser.ParseGuarded(row.Value));
        Require(row, Encoding.UTF8.GetBytes(user.Name).AsSpan().SequenceEqual(row.Key), "the user of its key");
        _small.Auth = _small.Auth.With(user);
    }

    private void TakeCluster(BboltCursor row)
    {
        if (row.Key.SequenceEqual(SchemaNames.ClusterVersion))
        {
            var text = Encoding.UTF8.GetString(row.Value);
            Require(row, Version.TryParse(text, out _), "a version");
            _small.Members = _small.Members with { ClusterVersion = text };
        }
        else if (row.Key.SequenceEqual(SchemaNames.Downgrade))
        {
            _small.Members = _small.Members with { Downgrade = ReadDowngrade(row) };
        }
    }

    private DowngradeJob? ReadDowngrade(BboltCursor row)
    {
        try
        {
            var reader = new Utf8JsonReader(row.Value);
            using var json = JsonDocument.ParseValue(ref reader);
            var isEnabled = json.RootElement.TryGetProperty("enabled", out var enabled) && enabled.ValueKind == JsonValueKind.True;
            return isEnabled && json.RootElement.TryGetProperty("target-version", out var target) && target.GetString() is { } version ? new DowngradeJob(version) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Wrong(row, "a downgrade");
        }
    }

    private void TakeLease(BboltCursor row)
    {
        var lease = Protocol.Leases.Lease.Parser.ParseGuarded(row.Value);
        Require(row, row.Key.Length == sizeof(long) && BinaryPrimitives.ReadInt64BigEndian(row.Key) == lease.ID && lease.ID != 0, "the lease of its key");
        Require(row, lease.TTL is >= 0 and <= LeaseTable.TtlMax && lease.RemainingTTL >= 0 && lease.RemainingTTL <= LeaseTable.TtlMax, "a lease with a time to live");
        _small.Leases.Add(new LeaseInfo(lease.ID, lease.TTL, LeaseInfo.RemainingOf(lease.RemainingTTL, 0)));
    }

    private void TakeMember(BboltCursor row)
    {
        var isMember = MemberJson.TryParse(row.Value, out var member, out _) && member.Id == Id(row);
        Require(row, isMember, "the member of its key");
        _small.Members = _small.Members with { Members = _small.Members.Members.Add(member!) }; // Not null, or it would have been refused.
    }

    private void TakeRemoved(BboltCursor row) => _small.Members = _small.Members with { Removed = _small.Members.Removed.Add(Id(row)) };

    private ulong Id(BboltCursor row) =>
        ulong.TryParse(row.Key, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id) ? id : throw Wrong(row, "a member, its key is no id");

    private ulong Number(BboltCursor row)
    {
        Require(row, row.Value.Length == sizeof(ulong), "a number of 8 bytes");
        return BinaryPrimitives.ReadUInt64BigEndian(row.Value);
    }

    private void Require(BboltCursor row, bool holds, string expected)
    {
        if (!holds)
        {
            throw Wrong(row, expected);
        }
    }

    private CorruptionException Wrong(BboltCursor row, string expected) => new(_path, row.Offset, $"the row {Show(row.Key)} is not {expected}");

    private static string Show(ReadOnlySpan<byte> key) =>
        key.Length <= 64 && key.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7e) < 0 ? Encoding.ASCII.GetString(key) : Convert.ToHexString(key[..Math.Min(key.Length, 32)]);
}
