using Cairn.Protocol;
using Cairn.Protocol.Elections;
using Cairn.Protocol.Locks;
using Google.Protobuf.Reflection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Cairn.Host.Gateway;

/// <summary>Which path of the gateway stands for which method.</summary>
/// <remarks>Source: the google.api.http options of etcd's rpc.proto, v3lock.proto and v3election.proto. RangeStream has no path.</remarks>
internal static class GatewayRoutes
{
    private const string OldPrefix = "/v3beta/";
    private const string Prefix = "/v3/";

    private static readonly Dictionary<string, MethodDescriptor> Table = Build();

    /// <summary>All paths, for the tests.</summary>
    public static IReadOnlyDictionary<string, MethodDescriptor> All => Table;

    /// <summary>Whether a path belongs to the gateway, known or not.</summary>
    /// <param name="path">Path of a request.</param>
    /// <returns>True below /v3/ and its old spelling /v3beta/.</returns>
    public static bool Covers(string path) => path.StartsWith(Prefix, StringComparison.Ordinal) || path.StartsWith(OldPrefix, StringComparison.Ordinal);

    /// <summary>Finds the method of a path.</summary>
    /// <param name="path">Path of a request.</param>
    /// <returns>The method; null for an unknown path.</returns>
    public static MethodDescriptor? Find(string path)
    {
        var current = path.StartsWith(OldPrefix, StringComparison.Ordinal) ? string.Concat(Prefix, path.AsSpan(OldPrefix.Length)) : path;
        return Table.GetValueOrDefault(current);
    }

    private static Dictionary<string, MethodDescriptor> Build()
    {
        var table = new Dictionary<string, MethodDescriptor>(StringComparer.Ordinal);
        Add(table, KvReflection.Descriptor, "KV", "kv/range Range", "kv/put Put", "kv/deleterange DeleteRange", "kv/txn Txn", "kv/compaction Compact");
        Add(table, WatchReflection.Descriptor, "Watch", "watch Watch");
        Add(
            table, LeaseReflection.Descriptor, "Lease",
            "lease/grant LeaseGrant", "lease/revoke LeaseRevoke", "kv/lease/revoke LeaseRevoke", "lease/keepalive LeaseKeepAlive",
            "lease/timetolive LeaseTimeToLive", "kv/lease/timetolive LeaseTimeToLive", "lease/leases LeaseLeases", "kv/lease/leases LeaseLeases");
        Add(
            table, ClusterReflection.Descriptor, "Cluster",
            "cluster/member/add MemberAdd", "cluster/member/remove MemberRemove", "cluster/member/update MemberUpdate",
            "cluster/member/list MemberList", "cluster/member/promote MemberPromote");
        Add(
            table, MaintenanceReflection.Descriptor, "Maintenance",
            "maintenance/alarm Alarm", "maintenance/status Status", "maintenance/defragment Defragment", "maintenance/hash Hash", "maintenance/hashkv HashKV",
            "maintenance/snapshot Snapshot", "maintenance/transfer-leadership MoveLeader", "maintenance/downgrade Downgrade");
        Add(
            table, AuthReflection.Descriptor, "Auth",
            "auth/enable AuthEnable", "auth/disable AuthDisable", "auth/status AuthStatus", "auth/authenticate Authenticate",
            "auth/user/add UserAdd", "auth/user/get UserGet", "auth/user/list UserList", "auth/user/delete UserDelete", "auth/user/changepw UserChangePassword",
            "auth/user/grant UserGrantRole", "auth/user/revoke UserRevokeRole", "auth/role/add RoleAdd", "auth/role/get RoleGet", "auth/role/list RoleList",
            "auth/role/delete RoleDelete", "auth/role/grant RoleGrantPermission", "auth/role/revoke RoleRevokePermission");
        Add(table, LockReflection.Descriptor, "Lock", "lock/lock Lock", "lock/unlock Unlock");
        Add(
            table, ElectionReflection.Descriptor, "Election",
            "election/campaign Campaign", "election/proclaim Proclaim", "election/leader Leader", "election/observe Observe", "election/resign Resign");
        return table;
    }

    private static void Add(Dictionary<string, MethodDescriptor> table, FileDescriptor file, string service, params string[] routes)
    {
        var descriptor = file.FindTypeByName<ServiceDescriptor>(service);
        foreach (var route in routes)
        {
            var parts = route.Split(' ');
            table.Add(Prefix + parts[0], descriptor.FindMethodByName(parts[1]));
        }
    }
}
