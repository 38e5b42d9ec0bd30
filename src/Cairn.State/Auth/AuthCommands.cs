using System.Collections.Immutable;
using Cairn.Protocol;

namespace Cairn.State.Auth;

/// <summary>The changes that auth entries make to the tables: each takes the tables and a request, and gives the tables afterwards, or why not.</summary>
/// <remarks>Pure functions. Source: etcd server/auth/store.go (v3.6.14).</remarks>
internal static class AuthCommands
{
    public static StoreError Enable(ref AuthTables tables)
    {
        if (tables.IsEnabled)
        {
            return StoreError.None;
        }

        if (!tables.Users.TryGetValue(AuthTables.RootName, out var root))
        {
            return StoreError.RootUserMissing;
        }

        if (!root.IsRoot)
        {
            return StoreError.RootRoleMissing;
        }

        tables = tables.Switched(isEnabled: true, tables.Revision);
        return StoreError.None;
    }

    public static StoreError Disable(ref AuthTables tables)
    {
        if (tables.IsEnabled)
        {
            tables = tables.Switched(isEnabled: false, tables.Revision + 1);
        }

        return StoreError.None;
    }

    public static StoreError Authenticate(AuthTables tables, string name)
    {
        if (!tables.IsEnabled)
        {
            return StoreError.AuthNotEnabled;
        }

        // The password itself was checked before the entry was proposed: bcrypt is no work for an apply loop.
        return tables.Users.TryGetValue(name, out var user) && !user.HasNoPassword ? StoreError.None : StoreError.AuthenticationFailed;
    }

    public static StoreError AddUser(ref AuthTables tables, AuthUserAddRequest request)
    {
        if (request.Name.Length == 0)
        {
            return StoreError.UserNameEmpty;
        }

        if (tables.Users.ContainsKey(request.Name))
        {
            return StoreError.UserExists;
        }

        var hasNoPassword = request.Options?.NoPassword ?? false;
        byte[]? hash = [];
        if (!hasNoPassword && (hash = DecodeHash(request.HashedPassword)) is null)
        {
            return StoreError.NoPasswordUser;
        }

        tables = tables.With(new AuthUser(request.Name, hash, hasNoPassword, []));
        return StoreError.None;
    }

    public static StoreError DeleteUser(ref AuthTables tables, AuthUserDeleteRequest request)
    {
        if (tables.IsEnabled && request.Name == AuthTables.RootName)
        {
            return StoreError.InvalidAuthManagement;
        }

        if (!tables.Users.ContainsKey(request.Name))
        {
            return StoreError.UserNotFound;
        }

        tables = tables.WithoutUser(request.Name);
        return StoreError.None;
    }

    public static StoreError ChangePassword(ref AuthTables tables, AuthUserChangePasswordRequest request)
    {
        if (!tables.Users.TryGetValue(request.Name, out var user))
        {
            return StoreError.UserNotFound;
        }

        byte[]? hash = [];
        if (!user.HasNoPassword && (hash = DecodeHash(request.HashedPassword)) is null)
        {
            return StoreError.NoPasswordUser;
        }

        tables = tables.With(user with { PasswordHash = hash });
        return StoreError.None;
    }

    public static StoreError GrantRole(ref AuthTables tables, AuthUserGrantRoleRequest request)
    {
        if (!tables.Users.TryGetValue(request.User, out var user))
        {
            return StoreError.UserNotFound;
        }

        if (request.Role != AuthTables.RootName && !tables.Roles.ContainsKey(request.Role))
        {
            return StoreError.RoleNotFound;
        }

        if (!user.Roles.Contains(request.Role))
        {
            tables = tables.With(user with { Roles = [.. user.Roles.Add(request.Role).Order(Utf8Order.Instance)] });
        }

        return StoreError.None;
    }

    public static StoreError RevokeRole(ref AuthTables tables, AuthUserRevokeRoleRequest request)
    {
        if (tables.IsEnabled && request.Name == AuthTables.RootName && request.Role == AuthTables.RootName)
        {
            return StoreError.InvalidAuthManagement;
        }

        if (!tables.Users.TryGetValue(request.Name, out var user))
        {
            return StoreError.UserNotFound;
        }

        if (!user.Roles.Contains(request.Role))
        {
            return StoreError.RoleNotGranted;
        }

        tables = tables.With(user with { Roles = user.Roles.Remove(request.Role) });
        return StoreError.None;
    }

    public static StoreError AddRole(ref AuthTables tables, AuthRoleAddRequest request)
    {
        if (request.Name.Length == 0)
        {
            return StoreError.RoleNameEmpty;
        }

        if (tables.Roles.ContainsKey(request.Name))
        {
            return StoreError.RoleExists;
        }

        tables = tables.With(new AuthRole(request.Name, []));
        return StoreError.None;
    }

    public static StoreError DeleteRole(ref AuthTables tables, AuthRoleDeleteRequest request)
    {
        if (tables.IsEnabled && request.Role == AuthTables.RootName)
        {
            return StoreError.InvalidAuthManagement;
        }

        if (!tables.Roles.ContainsKey(request.Role))
        {
            return StoreError.RoleNotFound;
        }

        tables = tables.WithoutRole(request.Role);
        return StoreError.None;
    }

    public static StoreError GrantPermission(ref AuthTables tables, AuthRoleGrantPermissionRequest request)
    {
        if (request.Perm is null)
        {
            return StoreError.PermissionNotGiven;
        }

        var granted = new AuthPermission(request.Perm.PermType, request.Perm.Key.Memory, request.Perm.RangeEnd.Memory);
        if (!IsRange(granted))
        {
            return StoreError.InvalidAuthManagement;
        }

        if (!tables.Roles.TryGetValue(request.Name, out var role))
        {
            return StoreError.RoleNotFound;
        }

        tables = tables.With(role with { Permissions = Granted(role.Permissions, granted) });
        return StoreError.None;
    }

    public static StoreError RevokePermission(ref AuthTables tables, AuthRoleRevokePermissionRequest request)
    {
        if (!tables.Roles.TryGetValue(request.Role, out var role))
        {
            return StoreError.RoleNotFound;
        }

        var kept = role.Permissions.RemoveAll(each =>
            each.Key.Span.SequenceEqual(request.Key.Span) && each.RangeEnd.Span.SequenceEqual(request.RangeEnd.Span));
        if (kept.Length == role.Permissions.Length)
        {
            return StoreError.PermissionNotGranted;
        }

        tables = tables.With(role with { Permissions = kept });
        return StoreError.None;
    }

    /// <summary>Adds a permission, or changes the type of the same one.</summary>
    /// <remarks>Only the first permission at that key is looked at: equal replicas must keep equal lists, and etcd's do so.</remarks>
    private static ImmutableArray<AuthPermission> Granted(ImmutableArray<AuthPermission> permissions, AuthPermission granted)
    {
        var at = 0;
        while (at < permissions.Length && permissions[at].Key.Span.SequenceCompareTo(granted.Key.Span) < 0)
        {
            at++;
        }

        if (at < permissions.Length
            && permissions[at].Key.Span.SequenceEqual(granted.Key.Span)
            && permissions[at].RangeEnd.Span.SequenceEqual(granted.RangeEnd.Span))
        {
            return permissions.SetItem(at, granted);
        }

        while (at < permissions.Length && permissions[at].Key.Span.SequenceEqual(granted.Key.Span))
        {
            at++;
        }

        return permissions.Insert(at, granted);
    }

    private static bool IsRange(AuthPermission permission) =>
        !permission.Key.IsEmpty
        && (permission.RangeEnd.IsEmpty
            || permission.Key.Span.SequenceCompareTo(permission.RangeEnd.Span) < 0
            || (permission.RangeEnd.Length == 1 && permission.RangeEnd.Span[0] == 0));

    private static byte[]? DecodeHash(string hashedPassword)
    {
        var decoded = new byte[hashedPassword.Length];
        return Convert.TryFromBase64String(hashedPassword, decoded, out var length) ? decoded[..length] : null;
    }
}
