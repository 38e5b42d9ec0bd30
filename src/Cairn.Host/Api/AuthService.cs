using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Auth, as a member without authentication answers it.</summary>
internal sealed class AuthService(Node node)
{
    // The auth store starts at this revision and nothing has changed it.
    private const ulong FirstAuthRevision = 1;

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Auth")
        .Unary<AuthStatusRequest, AuthStatusResponse>(
            "AuthStatus", AuthStatusRequest.Parser, (_, _) => Answered(new AuthStatusResponse { Header = Header(), Enabled = false, AuthRevision = FirstAuthRevision }))
        .Unary<AuthDisableRequest, AuthDisableResponse>(
            "AuthDisable", AuthDisableRequest.Parser, (_, _) => Answered(new AuthDisableResponse { Header = Header() }))
        .Unary<AuthEnableRequest, AuthEnableResponse>("AuthEnable", AuthEnableRequest.Parser, (_, _) => Refused<AuthEnableResponse>(NodeError.RootUserMissing))
        .Unary<AuthenticateRequest, AuthenticateResponse>(
            "Authenticate", AuthenticateRequest.Parser, (_, _) => Refused<AuthenticateResponse>(NodeError.AuthNotEnabled))
        .Absent("UserAdd", "UserGet", "UserList", "UserDelete", "UserChangePassword", "UserGrantRole", "UserRevokeRole")
        .Absent("RoleAdd", "RoleGet", "RoleList", "RoleDelete", "RoleGrantPermission", "RoleRevokePermission");

    private static ValueTask<Outcome<T>> Answered<T>(T answer)
        where T : class => ValueTask.FromResult<Outcome<T>>(answer);

    private static ValueTask<Outcome<T>> Refused<T>(NodeError error)
        where T : class => ValueTask.FromResult<Outcome<T>>(EtcdErrors.StatusOf(error));

    private ResponseHeader Header()
    {
        NodeStatus status = node.Look();
        return new ResponseHeader { ClusterId = status.ClusterId, MemberId = status.MemberId, Revision = status.Revision, RaftTerm = status.Term };
    }
}
