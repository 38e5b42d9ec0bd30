using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.State;
using Cairn.State.Auth;
using Cairn.State.Entries;
using Google.Protobuf;

namespace Cairn.Server.Auth;

/// <summary>Which permission each request needs, held against a view. For entries the state machine has the last word; for all else this is it.</summary>
/// <remarks>
/// The newest rules: nothing but logging in is for people without a name. Source: etcd server/etcdserver/v3_server.go, api/v3rpc/{auth,maintenance,member}.go (v3.6.14).
/// </remarks>
internal static class RequestPermissions
{
    /// <summary>Judges.</summary>
    /// <param name="view">The state.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="request">For what.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError Check(ReadView view, AuthIdentity identity, IMessage request)
    {
        var (tables, leases) = (view.Auth, view.Leases);
        return request switch
        {
            RangeRequest range => EntryPermissions.Check(tables, identity, range),
            PutRequest put => EntryPermissions.Check(tables, leases, identity, put),
            DeleteRangeRequest deletion => EntryPermissions.Check(tables, identity, deletion),
            TxnRequest txn => First(CheckKnown(tables, identity), EntryPermissions.Check(tables, leases, identity, txn)),
            WatchCreateRequest watch => tables.CheckRead(identity, watch.Key.IsEmpty ? FirstKey : watch.Key.Memory, watch.RangeEnd.Memory),
            LeaseRevokeRequest revoke => First(CheckKnown(tables, identity), EntryPermissions.CheckLease(tables, leases, identity, revoke.ID)),
            LeaseKeepAliveRequest renewal => First(CheckKnown(tables, identity), EntryPermissions.CheckLease(tables, leases, identity, renewal.ID)),
            LeaseTimeToLiveRequest { Keys: true } question =>
                First(CheckKnown(tables, identity), EntryPermissions.CheckLeaseKeys(tables, leases, identity, question.ID)),
            LeaseLeasesRequest => First(CheckKnown(tables, identity), CheckAllLeases(view, identity)),
            LeaseTimeToLiveRequest or LeaseGrantRequest or StatusRequest or HealStatusRequest or MemberListRequest or AlarmRequest { Action: AlarmRequest.Types.AlarmAction.Get } =>
                CheckKnown(tables, identity),
            AuthenticateRequest or AuthUserGetRequest or AuthRoleGetRequest => StoreError.None,
            _ => tables.CheckAdmin(identity),
        };
    }

    private static ReadOnlyMemory<byte> FirstKey { get; } = new byte[] { 0 };

    private static StoreError First(StoreError first, StoreError second) => first != StoreError.None ? first : second;

    private static StoreError CheckKnown(AuthTables tables, AuthIdentity identity) =>
        tables.IsEnabled && identity.UserName.Length == 0 ? StoreError.UserNameEmpty : StoreError.None;

    private static StoreError CheckAllLeases(ReadView view, AuthIdentity identity)
    {
        if (view.Auth.CheckAdmin(identity) == StoreError.None)
        {
            return StoreError.None;
        }

        foreach (var lease in view.Leases.List())
        {
            var error = EntryPermissions.CheckLeaseKeys(view.Auth, view.Leases, identity, lease.Id);
            if (error != StoreError.None)
            {
                return error;
            }
        }

        return StoreError.None;
    }
}
