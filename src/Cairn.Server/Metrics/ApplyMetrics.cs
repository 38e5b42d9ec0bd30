using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Server.Metrics;

/// <summary>Measures how long entries take to be applied, by what they ask for. Written by the apply loop, read by any thread.</summary>
/// <remarks>Names and buckets. Source: etcd server/etcdserver/txn/metrics.go, apply/uber_apply.go.</remarks>
internal sealed class ApplyMetrics
{
    // Beside what is asked for, an entry says who asks, and under which number.
    private const int IdField = InternalRaftRequest.IDFieldNumber;
    private const int HeaderField = InternalRaftRequest.HeaderFieldNumber;

    // By ascending number, for the search.
    private static readonly (int Field, string Name)[] Operations =
    [
        (InternalRaftRequest.RangeFieldNumber, "Range"),
        (InternalRaftRequest.PutFieldNumber, "Put"),
        (InternalRaftRequest.DeleteRangeFieldNumber, "DeleteRange"),
        (InternalRaftRequest.TxnFieldNumber, "Txn"),
        (InternalRaftRequest.CompactionFieldNumber, "Compaction"),
        (InternalRaftRequest.LeaseGrantFieldNumber, "LeaseGrant"),
        (InternalRaftRequest.LeaseRevokeFieldNumber, "LeaseRevoke"),
        (InternalRaftRequest.AlarmFieldNumber, "Alarm"),
        (InternalRaftRequest.LeaseCheckpointFieldNumber, "LeaseCheckpoint"),
        (InternalRaftRequest.AuthEnableFieldNumber, "AuthEnable"),
        (InternalRaftRequest.AuthDisableFieldNumber, "AuthDisable"),
        (InternalRaftRequest.AuthenticateFieldNumber, "Authenticate"),
        (InternalRaftRequest.AuthStatusFieldNumber, "AuthStatus"),
        (InternalRaftRequest.AuthUserAddFieldNumber, "AuthUserAdd"),
        (InternalRaftRequest.AuthUserDeleteFieldNumber, "AuthUserDelete"),
        (InternalRaftRequest.AuthUserGetFieldNumber, "AuthUserGet"),
        (InternalRaftRequest.AuthUserChangePasswordFieldNumber, "AuthUserChangePassword"),
        (InternalRaftRequest.AuthUserGrantRoleFieldNumber, "AuthUserGrantRole"),
        (InternalRaftRequest.AuthUserRevokeRoleFieldNumber, "AuthUserRevokeRole"),
        (InternalRaftRequest.AuthUserListFieldNumber, "AuthUserList"),
        (InternalRaftRequest.AuthRoleListFieldNumber, "AuthRoleList"),
        (InternalRaftRequest.AuthRoleAddFieldNumber, "AuthRoleAdd"),
        (InternalRaftRequest.AuthRoleDeleteFieldNumber, "AuthRoleDelete"),
        (InternalRaftRequest.AuthRoleGetFieldNumber, "AuthRoleGet"),
        (InternalRaftRequest.AuthRoleGrantPermissionFieldNumber, "AuthRoleGrantPermission"),
        (InternalRaftRequest.AuthRoleRevokePermissionFieldNumber, "AuthRoleRevokePermission"),
        (InternalRaftRequest.ClusterVersionSetFieldNumber, "ClusterVersionSet"),
        (InternalRaftRequest.ClusterMemberAttrSetFieldNumber, "ClusterMemberAttrSet"),
        (InternalRaftRequest.DowngradeInfoSetFieldNumber, "DowngradeInfoSet"),
    ];

    private static readonly int[] Fields = [.. Operations.Select(static operation => operation.Field)];

    private readonly Histogram?[] _succeeded = new Histogram?[Operations.Length];
    private readonly Histogram?[] _failed = new Histogram?[Operations.Length];

    /// <summary>Notes an entry.</summary>
    /// <param name="entry">An InternalRaftRequest; anything else is not counted.</param>
    /// <param name="succeeded">Whether it had the effect that was asked for.</param>
    /// <param name="took">How long that took.</param>
    public void Note(ReadOnlyMemory<byte> entry, bool succeeded, TimeSpan took)
    {
        var place = Array.BinarySearch(Fields, OperationIn(entry.Span));
        if (place >= 0)
        {
            (Volatile.Read(ref Of(succeeded)[place]) ?? Make(ref Of(succeeded)[place])).Observe(took.TotalSeconds);
        }
    }

    /// <summary>Reads the metrics.</summary>
    /// <param name="samples">Receives them.</param>
    public void AddTo(List<MetricSample> samples)
    {
        for (var i = 0; i < Operations.Length; i++)
        {
            foreach (var succeeded in (ReadOnlySpan<bool>)[false, true])
            {
                if (Volatile.Read(ref Of(succeeded)[i]) is { } histogram)
                {
                    samples.Add(histogram.Sample("etcd_server_apply_duration_seconds", "Seconds that an entry took to be applied.") with
                    {
                        Labels = [new("op", Operations[i].Name), new("success", succeeded ? "true" : "false"), new("version", "v3")],
                    });
                }
            }
        }
    }

    private static Histogram Make(ref Histogram? place)
    {
        var made = new Histogram(first: 0.0001, buckets: 20);
        Volatile.Write(ref place, made);
        return made;
    }

    /// <summary>The number of the first field that says what is asked for; 0 if there is none.</summary>
    private static int OperationIn(ReadOnlySpan<byte> entry)
    {
        while (TryReadVarint(ref entry, out var tag))
        {
            var field = (int)(tag >> 3);
            if (field is not (IdField or HeaderField))
            {
                return field;
            }

            var isBytes = WireFormat.GetTagWireType((uint)tag) == WireFormat.WireType.LengthDelimited;
            if (!TryReadVarint(ref entry, out var value) || (isBytes && value > (ulong)entry.Length))
            {
                return 0;
            }

            entry = isBytes ? entry[(int)value..] : entry;
        }

        return 0;
    }

    private static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7f) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    private Histogram?[] Of(bool succeeded) => succeeded ? _succeeded : _failed;
}
