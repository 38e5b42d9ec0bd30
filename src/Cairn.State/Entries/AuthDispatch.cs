using System.Globalization;
using Cairn.Protocol;
using Cairn.State.Auth;
using Google.Protobuf;

namespace Cairn.State.Entries;

/// <summary>Applies requests about users, roles and tokens.</summary>
/// <remarks>Source: etcd server/etcdserver/apply/apply_auth.go, server/auth/store.go (v3.6.14).</remarks>
internal static class AuthDispatch
{
    /// <summary>Applies what an administrator asked for.</summary>
    public static RequestOutcome ApplyAdmin(StateParts parts, InternalRaftRequest request)
    {
        if (request.AuthStatus is not null)
        {
            return new RequestOutcome(
                StoreError.None,
                new AuthStatusResponse { Header = Header(parts), Enabled = parts.Auth.IsEnabled, AuthRevision = parts.Auth.Revision });
        }

        if (request.AuthUserList is not null)
        {
            var users = new AuthUserListResponse { Header = Header(parts) };
            users.Users.AddRange(parts.Auth.Users.Keys);
            return new RequestOutcome(StoreError.None, users);
        }

        if (request.AuthRoleList is not null)
        {
            var roles = new AuthRoleListResponse { Header = Header(parts) };
            roles.Roles.AddRange(parts.Auth.Roles.Keys);
            return new RequestOutcome(StoreError.None, roles);
        }

        return Change(parts, request);
    }

    /// <summary>Applies what anybody may ask for: a token, one's own user and roles. Nothing at all is a v2 request without a meaning.</summary>
    public static RequestOutcome Apply(StateParts parts, InternalRaftRequest request, AuthIdentity identity, ulong index)
    {
        if (request.Authenticate is { } login)
        {
            return Authenticate(parts, login, index);
        }

        if (request.AuthUserGet is { } user)
        {
            return GetUser(parts, user.Name, identity);
        }

        if (request.AuthRoleGet is { } role)
        {
            return GetRole(parts, role.Role, identity);
        }

        return StoreError.None;
    }

    private static RequestOutcome Change(StateParts parts, InternalRaftRequest request)
    {
        var before = parts.Auth;
        var tables = before;
        var (error, response) = request switch
        {
            { AuthEnable: not null } => (AuthCommands.Enable(ref tables), (IMessage)new AuthEnableResponse { Header = Header(parts) }),
            { AuthDisable: not null } => (AuthCommands.Disable(ref tables), new AuthDisableResponse { Header = Header(parts) }),
            { AuthUserAdd: { } add } => (AuthCommands.AddUser(ref tables, add), new AuthUserAddResponse { Header = Header(parts) }),
            { AuthUserDelete: { } delete } => (AuthCommands.DeleteUser(ref tables, delete), new AuthUserDeleteResponse { Header = Header(parts) }),
            { AuthUserChangePassword: { } change } =>
                (AuthCommands.ChangePassword(ref tables, change), new AuthUserChangePasswordResponse { Header = Header(parts) }),
            { AuthUserGrantRole: { } grant } => (AuthCommands.GrantRole(ref tables, grant), new AuthUserGrantRoleResponse { Header = Header(parts) }),
            { AuthUserRevokeRole: { } revoke } => (AuthCommands.RevokeRole(ref tables, revoke), new AuthUserRevokeRoleResponse { Header = Header(parts) }),
            { AuthRoleAdd: { } add } => (AuthCommands.AddRole(ref tables, add), new AuthRoleAddResponse { Header = Header(parts) }),
            { AuthRoleDelete: { } delete } => (AuthCommands.DeleteRole(ref tables, delete), new AuthRoleDeleteResponse { Header = Header(parts) }),
            { AuthRoleGrantPermission: { } grant } =>
                (AuthCommands.GrantPermission(ref tables, grant), new AuthRoleGrantPermissionResponse { Header = Header(parts) }),
            { AuthRoleRevokePermission: { } revoke } =>
                (AuthCommands.RevokePermission(ref tables, revoke), new AuthRoleRevokePermissionResponse { Header = Header(parts) }),
            _ => throw Invariant.Unreachable("an administrator's request without a case"),
        };
        if (tables == before)
        {
            return new RequestOutcome(error, response);
        }

        parts.Auth = tables;
        parts.Tokens = request.AuthDisable is not null
            ? TokenTable.Empty
            : parts.Tokens.WithoutUser(request.AuthUserDelete?.Name ?? request.AuthUserChangePassword?.Name ?? "");
        return new RequestOutcome(error, response, new AuthChanged());
    }

    private static RequestOutcome Authenticate(StateParts parts, InternalAuthenticateRequest request, ulong index)
    {
        if (request.Upkeep is { } upkeep)
        {
            parts.Tokens = parts.Tokens.WithUsed(upkeep.Used.Select(TokenHash.Read), index).Without(upkeep.Ended.Select(TokenHash.Read));
            return StoreError.None;
        }

        var error = AuthCommands.Authenticate(parts.Auth, request.Name);
        if (error != StoreError.None)
        {
            return error;
        }

        // Members that sign their tokens log in without one; and what has no secret part must never become one.
        var response = new AuthenticateResponse { Header = Header(parts) };
        if (request.SimpleToken.Length > 0)
        {
            // The number is that of the entry before: etcd takes its applied index before it moves on, and tokens must be equal on all members.
            response.Token = string.Create(CultureInfo.InvariantCulture, $"{request.SimpleToken}.{index - 1}");
            parts.Tokens = parts.Tokens.With(TokenHash.Of(response.Token), request.Name, index);
        }

        return new RequestOutcome(error, response);
    }

    private static RequestOutcome GetUser(StateParts parts, string name, AuthIdentity identity)
    {
        var error = parts.Auth.CheckAdmin(identity);
        if (error != StoreError.None && name != identity.UserName)
        {
            return error;
        }

        if (!parts.Auth.Users.TryGetValue(name, out var user))
        {
            return StoreError.UserNotFound;
        }

        var response = new AuthUserGetResponse { Header = Header(parts) };
        response.Roles.AddRange(user.Roles);
        return new RequestOutcome(StoreError.None, response);
    }

    private static RequestOutcome GetRole(StateParts parts, string name, AuthIdentity identity)
    {
        var error = parts.Auth.CheckAdmin(identity);
        if (error != StoreError.None && !parts.Auth.HasRole(identity.UserName, name))
        {
            return error;
        }

        if (!parts.Auth.Roles.TryGetValue(name, out var role))
        {
            return StoreError.RoleNotFound;
        }

        var response = new AuthRoleGetResponse { Header = Header(parts) };
        if (name == AuthTables.RootName)
        {
            // The root role needs no permission; etcd shows one over all keys.
            response.Perm.Add(new Permission { PermType = Permission.Types.Type.Readwrite, RangeEnd = ByteString.CopyFrom(0) });
            return new RequestOutcome(StoreError.None, response);
        }

        response.Perm.AddRange(role.Permissions.Select(AuthRows.Message));
        return new RequestOutcome(StoreError.None, response);
    }

    private static ResponseHeader Header(StateParts parts) => RequestDispatch.HeaderOf(parts);
}
