using Cairn.Protocol;
using Cairn.Server.Auth.Jwt;
using Cairn.Server.Proposals;
using Cairn.State;
using Cairn.State.Auth;
using Google.Protobuf;

namespace Cairn.Server.Auth;

/// <summary>Finds out who asks, and whether they may. Any thread.</summary>
/// <remarks>
/// Judged by one view, so that a read is never answered from a state that its permission did not come from. A refusal by a view that may be old is not final: this
/// member makes sure that it knows everything that was acknowledged, and judges again. Source: etcd server/auth/store.go (AuthInfoFromCtx), v3.6.14.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class AuthGate(NodeRuntime node)
{
    private readonly AuthOptions _options = node.Options.Auth;

    /// <summary>When tokens were used here.</summary>
    public TokenUse Uses { get; } = new();

    /// <summary>The member itself, where it asks for something by itself.</summary>
    public AuthIdentity Self => node.View.Auth is { IsEnabled: true } tables ? new AuthIdentity(AuthTables.RootName, tables.Revision) : AuthIdentity.None;

    /// <summary>Judges a request by one view.</summary>
    /// <param name="view">The view, which the answer must come from.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>None, or the refusal.</returns>
    public NodeError Judge(ReadView view, IMessage request, in RequestContext context) =>
        view.Auth.IsEnabled ? Judge(view, request, context, out _) : NodeError.None;

    /// <summary>Whether a refusal by the newest view here may be one because this member does not know everything yet.</summary>
    /// <param name="refusal">The refusal, or none.</param>
    /// <returns>False where nobody could know more, or could be asked.</returns>
    public bool MayBeTooOld(NodeError refusal) =>
        refusal is NodeError.InvalidAuthToken or NodeError.AuthRevisionOld or NodeError.PermissionDenied or NodeError.UserNotFound
        && !node.Facts.ReadsAreLocal
        && node.Facts.Leader != 0;

    /// <summary>Judges a request by the newest view; one that refuses and may be old, by one that is not.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>None and who it is, or the refusal.</returns>
    public ValueTask<(NodeError Error, AuthIdentity Identity)> JudgeAsync(IMessage request, RequestContext context)
    {
        var error = Judge(node.View, request, context, out var identity);
        return MayBeTooOld(error) ? JudgeAgainAsync(error, request, context) : new((error, identity));
    }

    /// <summary>As <see cref="JudgeAsync"/>, after the question whether this member serves requests at all.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>None, or the refusal.</returns>
    public async ValueTask<NodeError> AdmitAsync(IMessage request, RequestContext context)
    {
        var refusal = node.JudgeRequest(context);
        return refusal == NodeError.None ? (await JudgeAsync(request, context)).Error : refusal;
    }

    /// <summary>Whether somebody who watches may go on, after users or roles have changed. Tokens do not count: they are for asking.</summary>
    /// <param name="userName">Who watches; empty for nobody in particular.</param>
    /// <param name="request">What was asked for.</param>
    /// <returns>None, or why not.</returns>
    public NodeError JudgeWatcher(string userName, WatchCreateRequest request)
    {
        var view = node.View;
        var identity = userName.Length == 0 ? AuthIdentity.None : new AuthIdentity(userName, view.Auth.Revision);
        return RequestPermissions.Check(view, identity, request).ToNodeError();
    }

    /// <summary>Sends a client's request through the log, if it is permitted; once more, if users or roles changed on the way.</summary>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>What became of it.</returns>
    public async ValueTask<ProposalOutcome> ProposeAsync(int field, IMessage request, RequestContext context)
    {
        for (var isAgain = false; ; isAgain = true)
        {
            var (refusal, identity) = await JudgeAsync(request, context);
            if (refusal != NodeError.None)
            {
                return new ProposalOutcome(refusal, null);
            }

            var outcome = await node.ProposeAsync(field, request, identity, context);
            if (isAgain || outcome.Result is not { Error: StoreError.AuthRevisionOld })
            {
                return outcome;
            }
        }
    }

    private async ValueTask<(NodeError Error, AuthIdentity Identity)> JudgeAgainAsync(NodeError first, IMessage request, RequestContext context)
    {
        if (await node.Confirmation.ReadAsync(context) != NodeError.None)
        {
            return (first, AuthIdentity.None);
        }

        var error = Judge(node.View, request, context, out var identity);
        return (error, identity);
    }

    private NodeError Judge(ReadView view, IMessage request, in RequestContext context, out AuthIdentity identity)
    {
        var error = Identify(view, context, out identity);
        return error != NodeError.None ? error : RequestPermissions.Check(view, identity, request).ToNodeError();
    }

    /// <summary>Finds out who asks: by the token, or else by the certificate. Nobody, if there is neither, or if it does not matter.</summary>
    private NodeError Identify(ReadView view, in RequestContext context, out AuthIdentity identity)
    {
        identity = AuthIdentity.None;
        if (!view.Auth.IsEnabled)
        {
            return NodeError.None;
        }

        if (context.Token is { } token)
        {
            return _options.Jwt is { } keys ? IdentifyByJwt(view.Auth, keys, token, out identity) : IdentifyBySimpleToken(view, token, out identity);
        }

        if (_options.UsesCertificates && !string.IsNullOrEmpty(context.CommonName))
        {
            identity = new AuthIdentity(context.CommonName, view.Auth.Revision);
        }

        return NodeError.None;
    }

    private NodeError IdentifyBySimpleToken(ReadView view, string token, out AuthIdentity identity)
    {
        identity = AuthIdentity.None;
        var hash = TokenHash.Of(token);
        if (!view.Tokens.TryFind(hash, out var found))
        {
            return NodeError.InvalidAuthToken;
        }

        Uses.Note(hash, node.Time.GetTimestamp());
        identity = new AuthIdentity(found.UserName, view.Auth.Revision);
        return NodeError.None;
    }

    private NodeError IdentifyByJwt(AuthTables tables, JwtKeyring keys, string token, out AuthIdentity identity)
    {
        identity = AuthIdentity.None;
        if (!keys.TryVerify(token, node.Time.GetUtcNow(), out var claims))
        {
            return NodeError.InvalidAuthToken;
        }

        if (_options.EndsJwtOnAnyChange)
        {
            identity = new AuthIdentity(claims.UserName, claims.Revision);
            return NodeError.None;
        }

        if (!tables.Users.TryGetValue(claims.UserName, out var user) || claims.Revision < user.ChangedAt)
        {
            return NodeError.AuthRevisionOld;
        }

        identity = new AuthIdentity(claims.UserName, tables.Revision);
        return NodeError.None;
    }
}
