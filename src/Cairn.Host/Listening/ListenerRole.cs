using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Listening;

/// <summary>What is served on a listener. Each connection carries the role of the listener that accepted it.</summary>
/// <param name="ServesGrpc">Whether gRPC calls are taken.</param>
/// <param name="Pages">What answers everything else, at a stage.</param>
internal sealed record ListenerRole(bool ServesGrpc, Func<Stage, Func<IFeatureCollection, Task>> Pages)
{
    /// <summary>Whether peers connect, and not clients.</summary>
    public bool IsForPeers { get; init; }

    /// <summary>Logs a connection that failed in its handshake, in etcd's words, which scripts look for.</summary>
    public void Refused(ILogger logger, System.Net.EndPoint? remote, Exception failure)
    {
        string reason = failure.InnerException?.Message ?? failure.Message;
        if (IsForPeers)
        {
            Log.PeerHandshakeRefused(logger, $"{remote}", reason);
        }
        else
        {
            Log.HandshakeRefused(logger, $"{remote}", reason);
        }
    }
}
