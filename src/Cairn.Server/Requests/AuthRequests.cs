using System.Text;
using Cairn.Protocol;
using Cairn.Server.Auth;
using Cairn.Server.Proposals;
using Google.Protobuf;

namespace Cairn.Server.Requests;

/// <summary>Requests on users, roles and tokens. Any thread. Source: etcd server/etcdserver/v3_server.go, api/v3rpc/auth.go.</summary>
public sealed class AuthRequests
{
    // Letters of the secret part of a simple token, and how many: 91 bits of chance, as in etcd.
    private const string TokenLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const int TokenLength = 16;

    private readonly NodeRuntime _node;
    private readonly Passwords _passwords;

    internal AuthRequests(NodeRuntime node)
    {
        _node = node;
        _passwords = new Passwords(node.World.HeavyWork, node.World.Secrets, node.Options.Auth.BcryptCost, node.Time);
    }

    /// <summary>Whether permissions matter.</summary>
    public bool IsEnabled => _node.View.Auth.IsEnabled;

    /// <summary>Carries out a request that needs nothing but the log: switching auth on and off, roles, permissions, and looking at them.</summary>
    /// <typeparam name="T">The response message.</typeparam>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public async ValueTask<Answer<T>> ChangeAsync<T>(IMessage request, RequestContext context)
        where T : class, IMessage => _node.Answer<T>(await _node.ProposeAsync(FieldOf(request), request, context));

    /// <summary>Adds a user.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public async ValueTask<Answer<AuthUserAddResponse>> AddUserAsync(AuthUserAddRequest request, RequestContext context)
    {
        var hashed = new AuthUserAddRequest { Name = request.Name, Options = request.Options };
        if (request.Name.Length > 0 && !(request.Options?.NoPassword ?? false))
        {
            var (refusal, hash) = await HashAsync(request, request.Password, context);
            if (refusal != NodeError.None)
            {
                return refusal;
            }

            hashed.HashedPassword = hash;
        }

        return await ChangeAsync<AuthUserAddResponse>(hashed, context);
    }

    /// <summary>Changes a password. One that is empty leaves the user without any.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public async ValueTask<Answer<AuthUserChangePasswordResponse>> ChangePasswordAsync(AuthUserChangePasswordRequest request, RequestContext context)
    {
        var hashed = new AuthUserChangePasswordRequest { Name = request.Name, HashedPassword = request.HashedPassword };
        if (request.Password.Length > 0)
        {
            var (refusal, hash) = await HashAsync(request, request.Password, context);
            if (refusal != NodeError.None)
            {
                return refusal;
            }

            hashed.HashedPassword = hash;
        }

        return await ChangeAsync<AuthUserChangePasswordResponse>(hashed, context);
    }

    /// <summary>Logs a user in.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer with a token, or the refusal.</returns>
    public async ValueTask<Answer<AuthenticateResponse>> AuthenticateAsync(AuthenticateRequest request, RequestContext context)
    {
        var refusal = _node.JudgeRequest(context);
        refusal = refusal == NodeError.None ? await _node.Confirmation.ReadAsync(context) : refusal;
        while (refusal == NodeError.None)
        {
            var tables = _node.View.Auth;
            refusal = tables.IsEnabled ? await CheckPasswordAsync(tables, request) : NodeError.AuthNotEnabled;
            if (refusal != NodeError.None)
            {
                break;
            }

            var checkedUser = tables.Users[request.Name];
            var answer = _node.Options.Auth.Jwt is null
                ? await AssignTokenAsync(request.Name, context)
                : SignToken(request.Name, tables.Revision);
            if (!answer.Succeeded || (_node.View.Auth.Users.TryGetValue(request.Name, out var user) && user.PasswordHash.Span.SequenceEqual(checkedUser.PasswordHash.Span)))
            {
                return answer;
            }

            // The password was changed between its check and the token, which therefore nobody gets: check again.
        }

        if (refusal == NodeError.AuthenticationFailed)
        {
            _node.Logger.LoginRefused(request.Name);
        }

        return refusal;
    }

    private static int FieldOf(IMessage request) => request switch
    {
        AuthEnableRequest => InternalRaftRequest.AuthEnableFieldNumber,
        AuthDisableRequest => InternalRaftRequest.AuthDisableFieldNumber,
        AuthStatusRequest => InternalRaftRequest.AuthStatusFieldNumber,
        AuthUserAddRequest => InternalRaftRequest.AuthUserAddFieldNumber,
        AuthUserDeleteRequest => InternalRaftRequest.AuthUserDeleteFieldNumber,
        AuthUserGetRequest => InternalRaftRequest.AuthUserGetFieldNumber,
        AuthUserChangePasswordRequest => InternalRaftRequest.AuthUserChangePasswordFieldNumber,
        AuthUserGrantRoleRequest => InternalRaftRequest.AuthUserGrantRoleFieldNumber,
        AuthUserRevokeRoleRequest => InternalRaftRequest.AuthUserRevokeRoleFieldNumber,
        AuthUserListRequest => InternalRaftRequest.AuthUserListFieldNumber,
        AuthRoleListRequest => InternalRaftRequest.AuthRoleListFieldNumber,
        AuthRoleAddRequest => InternalRaftRequest.AuthRoleAddFieldNumber,
        AuthRoleDeleteRequest => InternalRaftRequest.AuthRoleDeleteFieldNumber,
        AuthRoleGetRequest => InternalRaftRequest.AuthRoleGetFieldNumber,
        AuthRoleGrantPermissionRequest => InternalRaftRequest.AuthRoleGrantPermissionFieldNumber,
        AuthRoleRevokePermissionRequest => InternalRaftRequest.AuthRoleRevokePermissionFieldNumber,
        _ => throw Invariant.Unreachable($"{request.Descriptor.Name} is no request on users and roles"),
    };

    /// <summary>Hashes a password for somebody who may ask for it: it takes a processor for a while.</summary>
    private async ValueTask<(NodeError Refusal, string Hash)> HashAsync(IMessage request, string password, RequestContext context)
    {
        var refusal = _node.JudgeRequest(context);
        if (refusal == NodeError.None)
        {
            (refusal, _) = await _node.Auth.JudgeAsync(request, context);
        }

        if (refusal != NodeError.None)
        {
            return (refusal, "");
        }

        if (Encoding.UTF8.GetByteCount(password) > Bcrypt.PasswordBytesMax)
        {
            return (NodeError.PasswordTooLong, "");
        }

        return await _passwords.HashAsync(password) is { } hash
            ? (NodeError.None, Convert.ToBase64String(Encoding.ASCII.GetBytes(hash)))
            : (NodeError.TooManyRequests, "");
    }

    private async ValueTask<NodeError> CheckPasswordAsync(State.Auth.AuthTables tables, AuthenticateRequest request)
    {
        tables.Users.TryGetValue(request.Name, out var user);
        return user is { HasNoPassword: true }
            ? NodeError.NoPasswordUser
            : await _passwords.CheckAsync(request.Name, request.Password, user?.PasswordHash);
    }

    private async ValueTask<Answer<AuthenticateResponse>> AssignTokenAsync(string name, RequestContext context)
    {
        // The password stays here: the log holds only what makes the token.
        var login = new InternalAuthenticateRequest { Name = name, SimpleToken = MakeToken() };
        ProposalOutcome outcome = await _node.ProposeOwnAsync(InternalRaftRequest.AuthenticateFieldNumber, login, context);
        return _node.Answer<AuthenticateResponse>(outcome);
    }

    private Answer<AuthenticateResponse> SignToken(string name, ulong revision)
    {
        var keys = _node.Options.Auth.Jwt!; // The caller looked.
        return keys.CanSign
            ? new AuthenticateResponse { Header = _node.Headers.Make(_node.View.Revision), Token = keys.Sign(name, revision, _node.Time.GetUtcNow()) }
            : NodeError.TokenKeyVerifyOnly;
    }

    private string MakeToken()
    {
        Span<char> letters = stackalloc char[TokenLength];
        Span<byte> chance = stackalloc byte[1];
        for (var i = 0; i < letters.Length;)
        {
            _node.World.Secrets(chance);

            // What is above the largest multiple of the number of letters would favour the first ones.
            if (chance[0] < byte.MaxValue / TokenLetters.Length * TokenLetters.Length)
            {
                letters[i++] = TokenLetters[chance[0] % TokenLetters.Length];
            }
        }

        return letters.ToString();
    }
}
