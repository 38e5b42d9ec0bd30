using System.Buffers;
using Cairn.Protocol;
using Cairn.State;
using Google.Protobuf;

namespace Cairn.Server.Watch;

/// <summary>One message for a watch stream, kept as rows, so that it can be sent without parsing them.</summary>
/// <remarks>Immutable; any thread. Field numbers: etcdserverpb.WatchResponse, mvccpb.Event.</remarks>
public sealed class WatchDelivery
{
    private readonly ResponseHeader _header;
    private readonly ArraySegment<OutgoingEvent> _events;
    private readonly WatchResponse _frame;

    /// <summary>Creates a message.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="frame">Everything but header and events.</param>
    /// <param name="events">Its events; owned by the message.</param>
    internal WatchDelivery(ResponseHeader header, WatchResponse frame, ArraySegment<OutgoingEvent> events)
    {
        Invariant.Holds(frame.Header is null && frame.Events.Count == 0);
        _header = header;
        _frame = frame;
        _events = events;
        var bytes = 0;
        foreach (ref readonly var change in events.AsSpan())
        {
            bytes += TagAndLength(change.ByteCount) + change.ByteCount;
        }

        var headerBytes = header.CalculateSize();
        ByteCount = TagAndLength(headerBytes) + headerBytes + frame.CalculateSize() + bytes;
    }

    /// <summary>Size of the encoded <see cref="WatchResponse"/>, in bytes.</summary>
    public int ByteCount { get; }

    /// <summary>Id of the watcher; -1 for a message to the whole stream.</summary>
    public long WatchId => _frame.WatchId;

    /// <summary>Number of events.</summary>
    public int EventCount => _events.Count;

    /// <summary>Revision in the header.</summary>
    internal long Revision => _header.Revision;

    /// <summary>Writes a canonically encoded <see cref="WatchResponse"/>.</summary>
    /// <param name="destination">Where to.</param>
    public void WriteTo(IBufferWriter<byte> destination)
    {
        var headerBytes = _header.CalculateSize();
        WriteTag(destination, 0x0A, headerBytes);
        _header.WriteTo(destination);

        // Fields 2 to 7 come from the frame; events are field 11, last on the wire as in the message.
        _frame.WriteTo(destination);
        foreach (ref readonly var change in _events.AsSpan())
        {
            WriteTag(destination, 0x5A, change.ByteCount);
            change.WriteTo(destination);
        }
    }

    /// <summary>Builds the message.</summary>
    /// <returns>A new message, for those who need the fields (JSON).</returns>
    public WatchResponse ToMessage()
    {
        var message = _frame.Clone();
        message.Header = _header.Clone();
        foreach (ref readonly var change in _events.AsSpan())
        {
            message.Events.Add(change.ToMessage());
        }

        return message;
    }

    private static int TagAndLength(int bytes) => 1 + CodedOutputStream.ComputeUInt32Size((uint)bytes);

    private static void WriteTag(IBufferWriter<byte> destination, byte tag, int length)
    {
        var span = destination.GetSpan(6);
        span[0] = tag;
        var written = 1 + OutgoingEvent.WriteVarint(span[1..], (uint)length);
        destination.Advance(written);
    }
}

/// <summary>A change on its way to one watcher.</summary>
/// <param name="Change">The change.</param>
/// <param name="Previous">The key's row before it; empty if not wanted, or if there is none.</param>
internal readonly record struct OutgoingEvent(StateEvent Change, ReadOnlyMemory<byte> Previous)
{
    private const byte TypeTag = 0x08;
    private const byte RowTag = 0x12;
    private const byte PreviousTag = 0x1A;

    /// <summary>Size of the encoded mvccpb.Event.</summary>
    public int ByteCount =>
        (Change.IsDeletion ? 2 : 0)
        + FieldBytes(Change.KeyValue.Length)
        + (Previous.IsEmpty ? 0 : FieldBytes(Previous.Length));

    /// <summary>Writes a canonically encoded mvccpb.Event.</summary>
    /// <param name="destination">Where to.</param>
    public void WriteTo(IBufferWriter<byte> destination)
    {
        var size = ByteCount;
        var span = destination.GetSpan(size);
        var at = 0;
        if (Change.IsDeletion)
        {
            span[at++] = TypeTag;
            span[at++] = (byte)Event.Types.EventType.Delete;
        }

        at += WriteField(span[at..], RowTag, Change.KeyValue.Span);
        if (!Previous.IsEmpty)
        {
            at += WriteField(span[at..], PreviousTag, Previous.Span);
        }

        Invariant.Holds(at == size);
        destination.Advance(size);
    }

    /// <summary>Builds the message.</summary>
    /// <returns>A new message.</returns>
    public Event ToMessage()
    {
        var message = new Event
        {
            Type = Change.IsDeletion ? Event.Types.EventType.Delete : Event.Types.EventType.Put,
            Kv = KeyValue.Parser.ParseFrom(Change.KeyValue.Span),
        };
        if (!Previous.IsEmpty)
        {
            message.PrevKv = KeyValue.Parser.ParseFrom(Previous.Span);
        }

        return message;
    }

    /// <summary>Writes a number as protobuf does.</summary>
    /// <param name="destination">At least 5 bytes.</param>
    /// <param name="value">The number.</param>
    /// <returns>Bytes written.</returns>
    internal static int WriteVarint(Span<byte> destination, uint value)
    {
        var at = 0;
        while (value >= 0x80)
        {
            destination[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[at++] = (byte)value;
        return at;
    }

    private static int FieldBytes(int length) => 1 + CodedOutputStream.ComputeUInt32Size((uint)length) + length;

    private static int WriteField(Span<byte> destination, byte tag, ReadOnlySpan<byte> payload)
    {
        destination[0] = tag;
        var at = 1 + WriteVarint(destination[1..], (uint)payload.Length);
        payload.CopyTo(destination[at..]);
        return at + payload.Length;
    }
}
