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
        .Asks("AuthEnable", AuthEnableRequest.Parser, ChangeAsync<AuthEnableResponse>)
        .Asks("AuthDisable", AuthDisableRequest.Parser, ChangeAsync<AuthDisableResponse>)
        .Asks("AuthStatus", AuthStatusRequest.Parser, ChangeAsync<AuthStatusResponse>)
        .Asks("Authenticate", AuthenticateRequest.Parser, (request, context) => node.Auth.AuthenticateAsync(request, context))
        .Asks("UserAdd", AuthUserAddRequest.Parser, (request, context) => node.Auth.AddUserAsync(request, context))
        .Asks("UserGet", AuthUserGetRequest.Parser, ChangeAsync<AuthUserGetResponse>)
        .Asks("UserList", AuthUserListRequest.Parser, ChangeAsync<AuthUserListResponse>)
        .Asks("UserDelete", AuthUserDeleteRequest.Parser, ChangeAsync<AuthUserDeleteResponse>)
        .Asks("UserChangePassword", AuthUserChangePasswordRequest.Parser, (request, context) => node.Auth.ChangePasswordAsync(request, context))
        .Asks("UserGrantRole", AuthUserGrantRoleRequest.Parser, ChangeAsync<AuthUserGrantRoleResponse>)
        .Asks("UserRevokeRole", AuthUserRevokeRoleRequest.Parser, ChangeAsync<AuthUserRevokeRoleResponse>)
        .Asks("RoleAdd", AuthRoleAddRequest.Parser, ChangeAsync<AuthRoleAddResponse>)
        .Asks("RoleGet", AuthRoleGetRequest.Parser, ChangeAsync<AuthRoleGetResponse>)
        .Asks("RoleList", AuthRoleListRequest.Parser, ChangeAsync<AuthRoleListResponse>)
        .Asks("RoleDelete", AuthRoleDeleteRequest.Parser, ChangeAsync<AuthRoleDeleteResponse>)
        .Asks("RoleGrantPermission", AuthRoleGrantPermissionRequest.Parser, ChangeAsync<AuthRoleGrantPermissionResponse>)
        .Asks("RoleRevokePermission", AuthRoleRevokePermissionRequest.Parser, ChangeAsync<AuthRoleRevokePermissionResponse>);

    private ValueTask<Answer<TAnswer>> ChangeAsync<TAnswer>(IMessage request, RequestContext context)
        where TAnswer : class, IMessage => node.Auth.ChangeAsync<TAnswer>(request, context);
}
