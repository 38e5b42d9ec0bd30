using Cairn.Protocol;
using Cairn.State.Auth;
using Cairn.State.Lease;

namespace Cairn.State.Entries;

/// <summary>Which permissions a request needs, held against the tables: at apply, where they decide, and by the server before it proposes or reads.</summary>
/// <remarks>
/// The newest rules: nested transactions are checked like plain ones, previous values need the right to read, a lease that holds somebody else's keys
/// cannot be used. Source: etcd server/etcdserver/apply/apply_auth.go (v3.6.14).
/// </remarks>
public static class EntryPermissions
{
    /// <summary>Checks a put.</summary>
    /// <param name="tables">Users and roles.</param>
    /// <param name="leases">Leases and their keys.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="request">The request.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError Check(AuthTables tables, LeaseTable leases, AuthIdentity identity, PutRequest request) =>
        CheckPut(tables, leases, identity, request.Key.Memory, request.Lease, request.PrevKv);

    /// <summary>Checks a range.</summary>
    /// <param name="tables">Users and roles.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="request">The request.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError Check(AuthTables tables, AuthIdentity identity, RangeRequest request) =>
        tables.CheckRead(identity, request.Key.Memory, request.RangeEnd.Memory);

    /// <summary>Checks a deletion.</summary>
    /// <param name="tables">Users and roles.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="request">The request.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError Check(AuthTables tables, AuthIdentity identity, DeleteRangeRequest request)
    {
        var error = tables.CheckWrite(identity, request.Key.Memory, request.RangeEnd.Memory);
        return error == StoreError.None && request.PrevKv ? tables.CheckRead(identity, request.Key.Memory, request.RangeEnd.Memory) : error;
    }

    /// <summary>Checks a transaction: every comparison and every operation of both branches.</summary>
    /// <param name="tables">Users and roles.</param>
    /// <param name="leases">Leases and their keys.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="request">The request.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError Check(AuthTables tables, LeaseTable leases, AuthIdentity identity, TxnRequest request)
    {
        foreach (var compare in request.Compare)
        {
            var error = tables.CheckRead(identity, compare.Key.Memory, compare.RangeEnd.Memory);
            if (error != StoreError.None)
            {
                return error;
            }
        }

        foreach (var operation in request.Success.Concat(request.Failure))
        {
            var error = Check(tables, leases, identity, operation);
            if (error != StoreError.None)
            {
                return error;
            }
        }

        return StoreError.None;
    }

    /// <summary>Checks the use or the revocation of a lease: the right to write each of its keys.</summary>
    /// <param name="tables">Users and roles.</param>
    /// <param name="leases">Leases and their keys.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="lease">Which lease; an unknown one is permitted.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError CheckLease(AuthTables tables, LeaseTable leases, AuthIdentity identity, long lease)
    {
        if (!tables.IsEnabled || lease == 0 || tables.CheckAdmin(identity) == StoreError.None)
        {
            return StoreError.None;
        }

        foreach (var key in leases.KeysOf(lease))
        {
            var error = tables.CheckWrite(identity, key, default);
            if (error != StoreError.None)
            {
                return error;
            }
        }

        return StoreError.None;
    }

    /// <summary>Checks that somebody may learn the keys of a lease: the right to read each of them.</summary>
    /// <param name="tables">Users and roles.</param>
    /// <param name="leases">Leases and their keys.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="lease">Which lease; an unknown one is permitted.</param>
    /// <returns>None if permitted.</returns>
    public static StoreError CheckLeaseKeys(AuthTables tables, LeaseTable leases, AuthIdentity identity, long lease)
    {
        if (!tables.IsEnabled)
        {
            return StoreError.None;
        }

        foreach (var key in leases.KeysOf(lease))
        {
            var error = tables.CheckRead(identity, key, default);
            if (error != StoreError.None)
            {
                return error;
            }
        }

        return StoreError.None;
    }

    internal static StoreError CheckPut(
        AuthTables tables, LeaseTable leases, AuthIdentity identity, ReadOnlyMemory<byte> key, long lease, bool wantsPrevious)
    {
        var error = tables.CheckWrite(identity, key, default);
        if (error == StoreError.None)
        {
            error = CheckLease(tables, leases, identity, lease);
        }

        return error == StoreError.None && wantsPrevious ? tables.CheckRead(identity, key, default) : error;
    }

    /// <summary>Whether only an administrator may ask for this.</summary>
    internal static bool NeedsAdmin(InternalRaftRequest request) =>
        request.AuthEnable is not null || request.AuthDisable is not null || request.AuthStatus is not null
        || request.AuthUserAdd is not null || request.AuthUserDelete is not null || request.AuthUserChangePassword is not null
        || request.AuthUserGrantRole is not null || request.AuthUserRevokeRole is not null || request.AuthUserList is not null
        || request.AuthRoleAdd is not null || request.AuthRoleGrantPermission is not null || request.AuthRoleRevokePermission is not null
        || request.AuthRoleDelete is not null || request.AuthRoleList is not null;

    private static StoreError Check(AuthTables tables, LeaseTable leases, AuthIdentity identity, RequestOp operation) => operation.RequestCase switch
    {
        RequestOp.RequestOneofCase.RequestRange => Check(tables, identity, operation.RequestRange),
        RequestOp.RequestOneofCase.RequestPut => Check(tables, leases, identity, operation.RequestPut),
        RequestOp.RequestOneofCase.RequestDeleteRange => Check(tables, identity, operation.RequestDeleteRange),
        RequestOp.RequestOneofCase.RequestTxn => Check(tables, leases, identity, operation.RequestTxn),
        _ => StoreError.None,
    };
}
