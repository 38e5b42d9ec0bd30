using System.Collections.Concurrent;
using System.Collections.Immutable;
using Cairn.Protocol;

namespace Cairn.State.Auth;

/// <summary>A user.</summary>
/// <param name="Name">Who.</param>
/// <param name="PasswordHash">Text of the bcrypt hash, as bytes; empty if there is none.</param>
/// <param name="HasNoPassword">Whether the user can only be recognised by a certificate.</param>
/// <param name="Roles">Names of the roles, ascending.</param>
public sealed record AuthUser(string Name, ReadOnlyMemory<byte> PasswordHash, bool HasNoPassword, ImmutableArray<string> Roles)
{
    /// <summary>Auth revision of the last change to this user; what was promised to it before does not count any more.</summary>
    public ulong ChangedAt { get; init; }

    /// <summary>Whether the user may do everything.</summary>
    public bool IsRoot => Roles.Contains(AuthTables.RootName);
}

/// <summary>A permission of a role.</summary>
/// <param name="Type">Read, write or both.</param>
/// <param name="Key">First key.</param>
/// <param name="RangeEnd">By etcd's convention: empty is the key alone, a zero byte is everything from it on.</param>
public sealed record AuthPermission(Permission.Types.Type Type, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> RangeEnd);

/// <summary>A role.</summary>
/// <param name="Name">Which.</param>
/// <param name="Permissions">By ascending key.</param>
public sealed record AuthRole(string Name, ImmutableArray<AuthPermission> Permissions);

/// <summary>Who a request comes from, and how old the permissions are that it was checked against.</summary>
/// <param name="UserName">Empty for nobody.</param>
/// <param name="Revision">Auth revision at the time of the check; 0 for nobody.</param>
public readonly record struct AuthIdentity(string UserName, ulong Revision)
{
    /// <summary>Nobody.</summary>
    public static AuthIdentity None { get; } = new("", 0);
}

/// <summary>Users, roles and whether they matter. Immutable, so that any thread can check permissions while the apply loop goes on.</summary>
/// <remarks>Source: etcd server/auth/store.go, range_perm_cache.go (v3.6.14).</remarks>
public sealed class AuthTables
{
    /// <summary>Name of the user and of the role that may do everything.</summary>
    public const string RootName = "root";

    // A pure function of the immutable tables, kept because a check happens with each request.
    private readonly ConcurrentDictionary<string, PermittedKeys> _permitted = new(StringComparer.Ordinal);

    internal AuthTables(bool isEnabled, ulong revision, ImmutableSortedDictionary<string, AuthUser> users, ImmutableSortedDictionary<string, AuthRole> roles)
    {
        IsEnabled = isEnabled;
        Revision = revision;
        Users = users;
        Roles = roles;
    }

    /// <summary>The tables of a fresh store: off, without users, at revision 1.</summary>
    public static AuthTables Empty { get; } = new(
        isEnabled: false,
        revision: 1,
        ImmutableSortedDictionary.Create<string, AuthUser>(Utf8Order.Instance),
        ImmutableSortedDictionary.Create<string, AuthRole>(Utf8Order.Instance));

    /// <summary>Whether permissions are checked at all.</summary>
    public bool IsEnabled { get; }

    /// <summary>Rises by one with each change of users, roles and permissions, and when auth is switched off.</summary>
    public ulong Revision { get; }

    /// <summary>All users, in the order of their names' bytes.</summary>
    public ImmutableSortedDictionary<string, AuthUser> Users { get; }

    /// <summary>All roles, in the order of their names' bytes.</summary>
    public ImmutableSortedDictionary<string, AuthRole> Roles { get; }

    /// <summary>Checks that somebody may administer.</summary>
    /// <param name="identity">Who.</param>
    /// <returns>None if auth is off or the user has the root role.</returns>
    public StoreError CheckAdmin(AuthIdentity identity)
    {
        if (!IsEnabled)
        {
            return StoreError.None;
        }

        if (identity.UserName.Length == 0)
        {
            return StoreError.UserNameEmpty;
        }

        return !Users.TryGetValue(identity.UserName, out var user) ? StoreError.UserNotFound : user.IsRoot ? StoreError.None : StoreError.PermissionDenied;
    }

    /// <summary>Checks that somebody may read a range.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="key">First key.</param>
    /// <param name="rangeEnd">By etcd's convention.</param>
    /// <returns>None if permitted.</returns>
    public StoreError CheckRead(AuthIdentity identity, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> rangeEnd) =>
        Check(identity, key, rangeEnd, keys => keys.Readable);

    /// <summary>Checks that somebody may write a range.</summary>
    /// <param name="identity">Who.</param>
    /// <param name="key">First key.</param>
    /// <param name="rangeEnd">By etcd's convention.</param>
    /// <returns>None if permitted.</returns>
    public StoreError CheckWrite(AuthIdentity identity, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> rangeEnd) =>
        Check(identity, key, rangeEnd, keys => keys.Writable);

    /// <summary>Whether a user has a role.</summary>
    /// <param name="userName">The user.</param>
    /// <param name="role">The role.</param>
    /// <returns>False also for an unknown user.</returns>
    public bool HasRole(string userName, string role) => Users.TryGetValue(userName, out var user) && user.Roles.Contains(role);

    internal AuthTables Switched(bool isEnabled, ulong revision) => new(isEnabled, revision, Users, Roles);

    internal AuthTables With(AuthUser user) =>
        new(IsEnabled, Revision + 1, Users.SetItem(user.Name, user with { ChangedAt = Revision + 1 }), Roles);

    internal AuthTables With(AuthRole role) => new(IsEnabled, Revision + 1, Users, Roles.SetItem(role.Name, role));

    internal AuthTables WithoutUser(string name) => new(IsEnabled, Revision + 1, Users.Remove(name), Roles);

    internal AuthTables WithoutRole(string name)
    {
        var users = Users;
        foreach (var user in Users.Values)
        {
            if (user.Roles.Contains(name))
            {
                users = users.SetItem(user.Name, user with { Roles = user.Roles.Remove(name), ChangedAt = Revision + 1 });
            }
        }

        return new AuthTables(IsEnabled, Revision + 1, users, Roles.Remove(name));
    }

    internal void AssertInvariants()
    {
        Invariant.Holds(Revision >= 1);
        foreach (var user in Users.Values)
        {
            for (var i = 1; i < user.Roles.Length; i++)
            {
                Invariant.Holds(Utf8Order.Instance.Compare(user.Roles[i - 1], user.Roles[i]) < 0);
            }
        }
    }

    private StoreError Check(AuthIdentity identity, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> rangeEnd, Func<PermittedKeys, KeyIntervals> of)
    {
        if (!IsEnabled)
        {
            return StoreError.None;
        }

        if (identity.Revision == 0)
        {
            return StoreError.UserNameEmpty;
        }

        if (identity.Revision < Revision)
        {
            return StoreError.AuthRevisionOld;
        }

        if (!Users.TryGetValue(identity.UserName, out var user))
        {
            return StoreError.PermissionDenied;
        }

        return user.IsRoot || of(_permitted.GetOrAdd(user.Name, _ => PermittedKeys.Of(user, Roles))).Covers(key, rangeEnd)
            ? StoreError.None
            : StoreError.PermissionDenied;
    }
}
