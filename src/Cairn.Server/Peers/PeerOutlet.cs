using System.Buffers;
using System.Threading.Channels;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Metrics;

namespace Cairn.Server.Peers;

/// <summary>One way out to another member: messages go in, bytes for the connection come out.</summary>
/// <remarks>
/// <see cref="TryAdd"/> is called by the raft loop and never waits: what finds the queue full is dropped, as a network may. The other side belongs to the one
/// task that feeds the connection.
/// </remarks>
public sealed class PeerOutlet
{
    // As in etcd: a few seconds of messages at full load; appends are bounded earlier, by the core's windows.
    private const int StreamCapacity = 4096;

    // As in etcd: without a stream little gets through anyway, and what is old is of no use.
    private const int PipelineCapacity = 64;

    // One turn of the connection; more would delay the first message of it.
    private const int TurnBytesMax = 1 << 20;

    private readonly Channel<Message> _queue;
    private readonly Counter _sentBytes;
    private readonly AppendStreamWriter _appends = new();

    /// <summary>Creates an open way.</summary>
    /// <param name="traffic">Which one.</param>
    /// <param name="sentBytes">Counts what is given out.</param>
    internal PeerOutlet(PeerTraffic traffic, Counter sentBytes)
    {
        Traffic = traffic;
        _sentBytes = sentBytes;
        _queue = Channel.CreateBounded<Message>(new BoundedChannelOptions(traffic == PeerTraffic.Pipeline ? PipelineCapacity : StreamCapacity)
        {
            FullMode = BoundedChannelFullMode.Wait,
            SingleReader = traffic != PeerTraffic.Pipeline,
        });
    }

    /// <summary>Which way it is.</summary>
    public PeerTraffic Traffic { get; }

    /// <summary>Messages that wait.</summary>
    public int Count => _queue.Reader.Count;

    /// <summary>Waits for messages.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>False when the way was closed: the connection is to be closed.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public ValueTask<bool> WaitAsync(CancellationToken cancelled) => _queue.Reader.WaitToReadAsync(cancelled);

    /// <summary>Encodes what waits, for a stream: as much as fits one turn.</summary>
    /// <param name="output">Receives frames.</param>
    /// <returns>Whether there was anything.</returns>
    public bool TryWriteFrames(IBufferWriter<byte> output)
    {
        Invariant.Holds(Traffic != PeerTraffic.Pipeline);
        var counted = new CountingWriter(output);
        while (counted.Count < TurnBytesMax && _queue.Reader.TryRead(out var message))
        {
            if (Traffic == PeerTraffic.Appends)
            {
                _appends.Write(message, counted);
            }
            else
            {
                MessageStreamWriter.Write(message, counted);
            }
        }

        _sentBytes.Add(counted.Count);
        return counted.Count > 0;
    }

    /// <summary>Encodes the frame that only says that the link is alive.</summary>
    /// <param name="output">Receives the frame.</param>
    public void WriteHeartbeat(IBufferWriter<byte> output)
    {
        Invariant.Holds(Traffic != PeerTraffic.Pipeline);
        var counted = new CountingWriter(output);
        if (Traffic == PeerTraffic.Appends)
        {
            AppendStreamWriter.WriteHeartbeat(counted);
        }
        else
        {
            MessageStreamWriter.WriteHeartbeat(counted);
        }

        _sentBytes.Add(counted.Count);
    }

    /// <summary>Encodes one message, for a request of its own.</summary>
    /// <param name="body">The body of the request.</param>
    /// <returns>Whether there was a message.</returns>
    public bool TryTakeMessage(out byte[] body)
    {
        body = [];
        if (!_queue.Reader.TryRead(out var message))
        {
            return false;
        }

        body = new byte[MessageWire.Size(message)];
        MessageWire.Write(message, body);
        _sentBytes.Add(body.Length);
        return true;
    }

    /// <summary>Adds a message. The raft loop.</summary>
    /// <param name="message">What to send.</param>
    /// <returns>False if it was dropped.</returns>
    internal bool TryAdd(Message message) => _queue.Writer.TryWrite(message);

    /// <summary>Takes no more; what waits is still given out.</summary>
    internal void Close() => _queue.Writer.TryComplete();

    /// <summary>Counts what goes through, so that a turn ends.</summary>
    private sealed class CountingWriter(IBufferWriter<byte> inner) : IBufferWriter<byte>
    {
        public long Count { get; private set; }

        public void Advance(int count)
        {
            Count += count;
            inner.Advance(count);
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);
    }
}
