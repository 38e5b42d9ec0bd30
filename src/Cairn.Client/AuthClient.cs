using Cairn.Client.Calls;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>Users, roles and their permissions. Any thread. All methods throw <see cref="ClientException"/> when the call fails.</summary>
public sealed class AuthClient
{
    private static readonly GrpcMethod<AuthEnableRequest, AuthEnableResponse> EnableMethod =
        Methods.Of<AuthEnableRequest, AuthEnableResponse>("Auth/AuthEnable", AuthEnableResponse.Parser);

    private static readonly GrpcMethod<AuthDisableRequest, AuthDisableResponse> DisableMethod =
        Methods.Of<AuthDisableRequest, AuthDisableResponse>("Auth/AuthDisable", AuthDisableResponse.Parser);

    private static readonly GrpcMethod<AuthStatusRequest, AuthStatusResponse> StatusMethod =
        Methods.Of<AuthStatusRequest, AuthStatusResponse>("Auth/AuthStatus", AuthStatusResponse.Parser);

    private static readonly GrpcMethod<AuthUserAddRequest, AuthUserAddResponse> UserAddMethod =
        Methods.Of<AuthUserAddRequest, AuthUserAddResponse>("Auth/UserAdd", AuthUserAddResponse.Parser);

    private static readonly GrpcMethod<AuthUserGetRequest, AuthUserGetResponse> UserGetMethod =
        Methods.Of<AuthUserGetRequest, AuthUserGetResponse>("Auth/UserGet", AuthUserGetResponse.Parser);

    private static readonly GrpcMethod<AuthUserListRequest, AuthUserListResponse> UserListMethod =
        Methods.Of<AuthUserListRequest, AuthUserListResponse>("Auth/UserList", AuthUserListResponse.Parser);

    private static readonly GrpcMethod<AuthUserDeleteRequest, AuthUserDeleteResponse> UserDeleteMethod =
        Methods.Of<AuthUserDeleteRequest, AuthUserDeleteResponse>("Auth/UserDelete", AuthUserDeleteResponse.Parser);

    private static readonly GrpcMethod<AuthUserChangePasswordRequest, AuthUserChangePasswordResponse> UserChangePasswordMethod =
        Methods.Of<AuthUserChangePasswordRequest, AuthUserChangePasswordResponse>("Auth/UserChangePassword", AuthUserChangePasswordResponse.Parser);

    private static readonly GrpcMethod<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse> UserGrantRoleMethod =
        Methods.Of<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse>("Auth/UserGrantRole", AuthUserGrantRoleResponse.Parser);

    private static readonly GrpcMethod<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse> UserRevokeRoleMethod =
        Methods.Of<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse>("Auth/UserRevokeRole", AuthUserRevokeRoleResponse.Parser);

    private static readonly GrpcMethod<AuthRoleAddRequest, AuthRoleAddResponse> RoleAddMethod =
        Methods.Of<AuthRoleAddRequest, AuthRoleAddResponse>("Auth/RoleAdd", AuthRoleAddResponse.Parser);

    private static readonly GrpcMethod<AuthRoleGetRequest, AuthRoleGetResponse> RoleGetMethod =
        Methods.Of<AuthRoleGetRequest, AuthRoleGetResponse>("Auth/RoleGet", AuthRoleGetResponse.Parser);

    private static readonly GrpcMethod<AuthRoleListRequest, AuthRoleListResponse> RoleListMethod =
        Methods.Of<AuthRoleListRequest, AuthRoleListResponse>("Auth/RoleList", AuthRoleListResponse.Parser);

    private static readonly GrpcMethod<AuthRoleDeleteRequest, AuthRoleDeleteResponse> RoleDeleteMethod =
        Methods.Of<AuthRoleDeleteRequest, AuthRoleDeleteResponse>("Auth/RoleDelete", AuthRoleDeleteResponse.Parser);

    private static readonly GrpcMethod<AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse> RoleGrantPermissionMethod =
        Methods.Of<AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse>("Auth/RoleGrantPermission", AuthRoleGrantPermissionResponse.Parser);

    private static readonly GrpcMethod<AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse> RoleRevokePermissionMethod =
        Methods.Of<AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse>("Auth/RoleRevokePermission", AuthRoleRevokePermissionResponse.Parser);

    private readonly Caller _caller;

    internal AuthClient(Caller caller) => _caller = caller;

    /// <summary>Turns authentication on.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthEnableResponse> EnableAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(EnableMethod, new AuthEnableRequest(), Repeat.IfNeverSent, cancelled);

    /// <summary>Turns authentication off.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthDisableResponse> DisableAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(DisableMethod, new AuthDisableRequest(), Repeat.IfNeverSent, cancelled);

    /// <summary>Asks whether authentication is on.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthStatusResponse> StatusAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(StatusMethod, new AuthStatusRequest(), Repeat.Always, cancelled);

    /// <summary>Adds a user.</summary>
    /// <param name="request">The user.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserAddResponse> AddUserAsync(AuthUserAddRequest request, CancellationToken cancelled = default) =>
        _caller.CallAsync(UserAddMethod, request, Repeat.IfNeverSent, cancelled);

    /// <summary>Reads a user's roles.</summary>
    /// <param name="user">The user.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserGetResponse> GetUserAsync(string user, CancellationToken cancelled = default) =>
        _caller.CallAsync(UserGetMethod, new AuthUserGetRequest { Name = user }, Repeat.Always, cancelled);

    /// <summary>Lists the users.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserListResponse> ListUsersAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(UserListMethod, new AuthUserListRequest(), Repeat.Always, cancelled);

    /// <summary>Deletes a user.</summary>
    /// <param name="user">The user.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserDeleteResponse> DeleteUserAsync(string user, CancellationToken cancelled = default) =>
        _caller.CallAsync(UserDeleteMethod, new AuthUserDeleteRequest { Name = user }, Repeat.IfNeverSent, cancelled);

    /// <summary>Gives a user another password.</summary>
    /// <param name="user">The user.</param>
    /// <param name="password">The password.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserChangePasswordResponse> ChangePasswordAsync(string user, string password, CancellationToken cancelled = default) =>
        _caller.CallAsync(UserChangePasswordMethod, new AuthUserChangePasswordRequest { Name = user, Password = password }, Repeat.IfNeverSent, cancelled);

    /// <summary>Gives a user a role.</summary>
    /// <param name="user">The user.</param>
    /// <param name="role">The role.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserGrantRoleResponse> GrantRoleAsync(string user, string role, CancellationToken cancelled = default) =>
        _caller.CallAsync(UserGrantRoleMethod, new AuthUserGrantRoleRequest { User = user, Role = role }, Repeat.IfNeverSent, cancelled);

    /// <summary>Takes a role from a user.</summary>
    /// <param name="user">The user.</param>
    /// <param name="role">The role.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthUserRevokeRoleResponse> RevokeRoleAsync(string user, string role, CancellationToken cancelled = default) =>
        _caller.CallAsync(UserRevokeRoleMethod, new AuthUserRevokeRoleRequest { Name = user, Role = role }, Repeat.IfNeverSent, cancelled);

    /// <summary>Adds a role.</summary>
    /// <param name="role">The role.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthRoleAddResponse> AddRoleAsync(string role, CancellationToken cancelled = default) =>
        _caller.CallAsync(RoleAddMethod, new AuthRoleAddRequest { Name = role }, Repeat.IfNeverSent, cancelled);

    /// <summary>Reads a role's permissions.</summary>
    /// <param name="role">The role.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthRoleGetResponse> GetRoleAsync(string role, CancellationToken cancelled = default) =>
        _caller.CallAsync(RoleGetMethod, new AuthRoleGetRequest { Role = role }, Repeat.Always, cancelled);

    /// <summary>Lists the roles.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthRoleListResponse> ListRolesAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(RoleListMethod, new AuthRoleListRequest(), Repeat.Always, cancelled);

    /// <summary>Deletes a role.</summary>
    /// <param name="role">The role.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthRoleDeleteResponse> DeleteRoleAsync(string role, CancellationToken cancelled = default) =>
        _caller.CallAsync(RoleDeleteMethod, new AuthRoleDeleteRequest { Role = role }, Repeat.IfNeverSent, cancelled);

    /// <summary>Lets a role read or write keys.</summary>
    /// <param name="role">The role.</param>
    /// <param name="permission">What it may do with which keys.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthRoleGrantPermissionResponse> GrantPermissionAsync(string role, Permission permission, CancellationToken cancelled = default) =>
        _caller.CallAsync(RoleGrantPermissionMethod, new AuthRoleGrantPermissionRequest { Name = role, Perm = permission }, Repeat.IfNeverSent, cancelled);

    /// <summary>Takes a permission from a role.</summary>
    /// <param name="role">The role.</param>
    /// <param name="keys">The keys, exactly as they were granted.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AuthRoleRevokePermissionResponse> RevokePermissionAsync(string role, KeyRange keys, CancellationToken cancelled = default)
    {
        var request = new AuthRoleRevokePermissionRequest { Role = role, Key = keys.Key, RangeEnd = keys.End };
        return _caller.CallAsync(RoleRevokePermissionMethod, request, Repeat.IfNeverSent, cancelled);
    }
}
