namespace Cairn.Server.Peers;

/// <summary>The ways on which messages travel to another member. Each has its own queue and its own connection, so that none waits behind another.</summary>
public enum PeerTraffic
{
    /// <summary>The stream of everything but appends: heartbeats, votes, acknowledgements, forwarded proposals.</summary>
    Messages,

    /// <summary>The stream of appends.</summary>
    Appends,

    /// <summary>Pipeline requests, while a stream is not up.</summary>
    Pipeline,
}
