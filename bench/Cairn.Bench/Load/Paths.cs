namespace Cairn.Bench.Load;

/// <summary>Paths of etcd's methods.</summary>
internal static class Paths
{
    public const string Range = "/etcdserverpb.KV/Range";
    public const string Put = "/etcdserverpb.KV/Put";
    public const string Txn = "/etcdserverpb.KV/Txn";
    public const string Compact = "/etcdserverpb.KV/Compact";
    public const string Watch = "/etcdserverpb.Watch/Watch";
    public const string LeaseGrant = "/etcdserverpb.Lease/LeaseGrant";
    public const string LeaseKeepAlive = "/etcdserverpb.Lease/LeaseKeepAlive";
    public const string Status = "/etcdserverpb.Maintenance/Status";
    public const string MoveLeader = "/etcdserverpb.Maintenance/MoveLeader";
    public const string HashKv = "/etcdserverpb.Maintenance/HashKV";
}
