using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.State.Auth;

/// <summary>Users and roles as etcd stores them (authpb).</summary>
/// <remarks>Source: etcd api/authpb/auth.proto.</remarks>
public static class AuthRows
{
    /// <summary>Makes the row of a user; its options are there even if empty, as etcd writes them.</summary>
    /// <param name="user">The user.</param>
    /// <returns>The row.</returns>
    public static User Message(AuthUser user)
    {
        var row = new User
        {
            Name = ByteString.CopyFromUtf8(user.Name),
            Password = ByteString.CopyFrom(user.PasswordHash.Span),
            Options = new UserAddOptions { NoPassword = user.HasNoPassword },
        };
        row.Roles.AddRange(user.Roles);
        return row;
    }

    /// <summary>Makes the row of a role.</summary>
    /// <param name="role">The role.</param>
    /// <returns>The row.</returns>
    public static Role Message(AuthRole role)
    {
        var row = new Role { Name = ByteString.CopyFromUtf8(role.Name) };
        row.KeyPermission.AddRange(role.Permissions.Select(Message));
        return row;
    }

    /// <summary>Makes the message of a permission.</summary>
    /// <param name="permission">The permission.</param>
    /// <returns>The message.</returns>
    public static Permission Message(AuthPermission permission) => new()
    {
        PermType = permission.Type,
        Key = ByteString.CopyFrom(permission.Key.Span),
        RangeEnd = ByteString.CopyFrom(permission.RangeEnd.Span),
    };

    /// <summary>Reads the row of a user.</summary>
    /// <param name="row">The row.</param>
    /// <returns>The user.</returns>
    public static AuthUser Read(User row) => new(row.Name.ToStringUtf8(), row.Password.Memory, row.Options?.NoPassword ?? false, [.. row.Roles]);

    /// <summary>Reads the row of a role.</summary>
    /// <param name="row">The row.</param>
    /// <returns>The role.</returns>
    public static AuthRole Read(Role row) =>
        new(row.Name.ToStringUtf8(), [.. row.KeyPermission.Select(each => new AuthPermission(each.PermType, each.Key.Memory, each.RangeEnd.Memory))]);
}
