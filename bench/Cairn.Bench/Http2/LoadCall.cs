namespace Cairn.Bench.Http2;

/// <summary>One call, which is one HTTP/2 stream. Owned by its connection, and used again after its end.</summary>
internal sealed class LoadCall
{
    /// <summary>What the caller gave when it started the call.</summary>
    public int Tag { get; internal set; }

    /// <summary>Free for the caller: a timestamp, for instance.</summary>
    public long Note { get; set; }

    internal int StreamId { get; set; }

    internal long SendWindow { get; set; }

    internal long Consumed { get; set; }

    internal bool SendsEnd { get; set; }

    // Bytes that wait for the peer's flow control.
    internal ByteQueue Unsent { get; } = new();

    // The begin of a message whose rest is in a later frame.
    internal ByteQueue Partial { get; } = new();

    internal void Reset(int streamId, int tag, long sendWindow)
    {
        StreamId = streamId;
        Tag = tag;
        SendWindow = sendWindow;
        Consumed = 0;
        SendsEnd = false;
        Note = 0;
        Unsent.Clear();
        Partial.Clear();
    }
}
