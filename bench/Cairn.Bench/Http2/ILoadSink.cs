namespace Cairn.Bench.Http2;

/// <summary>Receives what comes back on a <see cref="LoadConnection"/>, on the thread that calls its Receive.</summary>
internal interface ILoadSink
{
    /// <summary>One whole message of a call arrived.</summary>
    /// <param name="connection">Where it arrived; new calls may be started on it at once.</param>
    /// <param name="call">The call, with the tag given when it was started.</param>
    /// <param name="message">The message without its five-byte prefix; valid during the call only.</param>
    void OnMessage(LoadConnection connection, LoadCall call, ReadOnlySpan<byte> message);

    /// <summary>A call ended.</summary>
    /// <param name="connection">Where it ended; new calls may be started on it at once.</param>
    /// <param name="call">The call; it is reused afterwards.</param>
    /// <param name="status">The gRPC status code; 0 is success.</param>
    /// <param name="detail">The status message, for people.</param>
    void OnEnd(LoadConnection connection, LoadCall call, int status, string detail);
}
