using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using Google.Protobuf;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Auth: users, roles, permissions and logging in.</summary>
internal sealed class AuthService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Auth")
        .Unary<AuthEnableRequest, AuthEnableResponse>("AuthEnable", AuthEnableRequest.Parser, ChangeAsync<AuthEnableRequest, AuthEnableResponse>)
        .Unary<AuthDisableRequest, AuthDisableResponse>("AuthDisable", AuthDisableRequest.Parser, ChangeAsync<AuthDisableRequest, AuthDisableResponse>)
        .Unary<AuthStatusRequest, AuthStatusResponse>("AuthStatus", AuthStatusRequest.Parser, ChangeAsync<AuthStatusRequest, AuthStatusResponse>)
        .Unary<AuthenticateRequest, AuthenticateResponse>(
            "Authenticate", AuthenticateRequest.Parser, async (request, call) => (await node.Auth.AuthenticateAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<AuthUserAddRequest, AuthUserAddResponse>(
            "UserAdd", AuthUserAddRequest.Parser, async (request, call) => (await node.Auth.AddUserAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<AuthUserGetRequest, AuthUserGetResponse>("UserGet", AuthUserGetRequest.Parser, ChangeAsync<AuthUserGetRequest, AuthUserGetResponse>)
        .Unary<AuthUserListRequest, AuthUserListResponse>("UserList", AuthUserListRequest.Parser, ChangeAsync<AuthUserListRequest, AuthUserListResponse>)
        .Unary<AuthUserDeleteRequest, AuthUserDeleteResponse>(
            "UserDelete", AuthUserDeleteRequest.Parser, ChangeAsync<AuthUserDeleteRequest, AuthUserDeleteResponse>)
        .Unary<AuthUserChangePasswordRequest, AuthUserChangePasswordResponse>(
            "UserChangePassword",
            AuthUserChangePasswordRequest.Parser,
            async (request, call) => (await node.Auth.ChangePasswordAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse>(
            "UserGrantRole", AuthUserGrantRoleRequest.Parser, ChangeAsync<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse>)
        .Unary<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse>(
            "UserRevokeRole", AuthUserRevokeRoleRequest.Parser, ChangeAsync<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse>)
        .Unary<AuthRoleAddRequest, AuthRoleAddResponse>("RoleAdd", AuthRoleAddRequest.Parser, ChangeAsync<AuthRoleAddRequest, AuthRoleAddResponse>)
        .Unary<AuthRoleGetRequest, AuthRoleGetResponse>("RoleGet", AuthRoleGetRequest.Parser, ChangeAsync<AuthRoleGetRequest, AuthRoleGetResponse>)
        .Unary<AuthRoleListRequest, AuthRoleListResponse>("RoleList", AuthRoleListRequest.Parser, ChangeAsync<AuthRoleListRequest, AuthRoleListResponse>)
        .Unary<AuthRoleDeleteRequest, AuthRoleDeleteResponse>(
            "RoleDelete", AuthRoleDeleteRequest.Parser, ChangeAsync<AuthRoleDeleteRequest, AuthRoleDeleteResponse>)
        .Unary<AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse>(
            "RoleGrantPermission", AuthRoleGrantPermissionRequest.Parser, ChangeAsync<AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse>)
        .Unary<AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse>(
            "RoleRevokePermission", AuthRoleRevokePermissionRequest.Parser, ChangeAsync<AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse>);

    private async ValueTask<Outcome<TAnswer>> ChangeAsync<TRequest, TAnswer>(TRequest request, GrpcCall call)
        where TRequest : class, IMessage
        where TAnswer : class, IMessage => (await node.Auth.ChangeAsync<TAnswer>(request, Caller.Of(call))).ToOutcome();
}
