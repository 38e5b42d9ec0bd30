using Cairn.Protocol;
using Cairn.Server.Auth;

namespace Cairn.Server.Watch;

/// <summary>Says what the client of a stream may watch: when it asks, and again whenever users or roles have changed.</summary>
/// <remarks>Any thread. Unlike etcd's, a watcher does not outlive the permission it was made with.</remarks>
/// <param name="gate">Knows permissions; null permits everything.</param>
/// <param name="context">Who watches.</param>
internal sealed class WatchGuard(AuthGate? gate, RequestContext context)
{
    private int _changed;

    /// <summary>Judges a request for a watcher.</summary>
    /// <param name="request">The request.</param>
    /// <returns>What the client is told, null if it may; and who it is.</returns>
    public async ValueTask<(string? Reason, string UserName)> JudgeAsync(WatchCreateRequest request)
    {
        if (gate is null)
        {
            return (null, "");
        }

        var (refusal, identity) = await gate.JudgeAsync(request, context);
        return (ReasonOf(refusal), identity.UserName);
    }

    /// <summary>Judges a watcher that exists.</summary>
    /// <param name="watcher">The watcher.</param>
    /// <returns>What the client is told; null if it may go on.</returns>
    public string? FindReason(Watcher watcher) => gate is null ? null : ReasonOf(gate.JudgeWatcher(watcher.UserName, watcher.Request));

    /// <summary>Notes that users or roles have changed.</summary>
    public void RulesChanged() => Volatile.Write(ref _changed, 1);

    /// <summary>Whether they have changed since the last call.</summary>
    /// <returns>True once for any number of changes.</returns>
    public bool TakeChange() => Volatile.Read(ref _changed) != 0 && Interlocked.Exchange(ref _changed, 0) != 0;

    /// <summary>An error as Go prints one, since that is what etcd sends.</summary>
    private static string? ReasonOf(NodeError refusal) => refusal switch
    {
        NodeError.None => null,
        NodeError.UserNameEmpty => "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
        NodeError.AuthRevisionOld => "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old",
        NodeError.InvalidAuthToken => "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        _ => "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
    };
}
