using System.Buffers;
using System.Buffers.Binary;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Server.Peers;

/// <summary>Reads the stream that carries appends only, in which an append that continues the one before is sent without what can be foretold.</summary>
/// <remarks>
/// <para>Frames, all integers 8 bytes big-endian unless said otherwise; each begins with one byte that says which it is:</para>
/// <code>
///   0                                                    the link is alive
///   1  count  { length  raftpb.Entry } * count  commit   an append that follows the last one, in the same term
///   2  length  raftpb.Message                            an append in full; sets what "the last one" is
/// </code>
/// <para>Owned by one connection: what "the last one" is starts anew with each.</para>
/// <para>Source: etcd server/etcdserver/api/rafthttp/msgappv2_codec.go.</para>
/// </remarks>
/// <param name="local">Id of this member, the addressee.</param>
/// <param name="remote">Id of the sender.</param>
public sealed class AppendStreamReader(ulong local, ulong remote)
{
    private ulong _term;
    private ulong _index;

    /// <summary>Reads the first frame of <paramref name="bytes"/>, if it is there as a whole.</summary>
    /// <param name="bytes">What was received; on return, what is left.</param>
    /// <param name="message">The append; null unless <see cref="StreamRead.Message"/> is returned. Owns its bytes.</param>
    /// <returns>What was found.</returns>
    public StreamRead TryRead(ref ReadOnlySequence<byte> bytes, out Message? message)
    {
        message = null;
        if (bytes.IsEmpty)
        {
            return StreamRead.Incomplete;
        }

        var reader = new SequenceReader<byte>(bytes);
        reader.TryRead(out var kind);
        var found = kind switch
        {
            0 => StreamRead.Heartbeat,
            1 => ReadContinuation(ref reader, out message),
            2 => ReadFull(ref reader, out message),
            _ => StreamRead.Malformed,
        };
        if (found is StreamRead.Heartbeat or StreamRead.Message)
        {
            bytes = bytes.Slice(reader.Consumed);
        }

        return found;
    }

    private static StreamRead TryReadLength(ref SequenceReader<byte> reader, out ulong length)
    {
        length = 0;
        if (!reader.TryReadBigEndian(out long signed))
        {
            return StreamRead.Incomplete;
        }

        length = (ulong)signed;
        return length > StreamLimits.FrameBytesMax ? StreamRead.Malformed : StreamRead.Message;
    }

    private StreamRead ReadFull(ref SequenceReader<byte> reader, out Message? message)
    {
        message = null;
        var found = TryReadLength(ref reader, out var length);
        if (found != StreamRead.Message || !reader.TryReadExact((int)length, out var body))
        {
            return found == StreamRead.Message ? StreamRead.Incomplete : found;
        }

        if (!MessageWire.TryRead(body.ToArray(), out message) || message is not { Type: MessageType.App })
        {
            message = null;
            return StreamRead.Malformed;
        }

        _term = message.Term;
        _index = message.Entries.IsEmpty ? message.Index : message.Entries.Span[^1].Index;
        return StreamRead.Message;
    }

    private StreamRead ReadContinuation(ref SequenceReader<byte> reader, out Message? message)
    {
        message = null;
        var found = TryFindEnd(reader, out var count, out var frameBytes);
        if (found != StreamRead.Message)
        {
            return found;
        }

        // One copy of the whole frame, of which the entries' payloads are slices.
        reader.TryReadExact((int)frameBytes, out var frame);
        ReadOnlyMemory<byte> rest = frame.ToArray().AsMemory(sizeof(ulong));
        var entries = new Entry[count];
        for (var i = 0; i < entries.Length; i++)
        {
            var length = (int)BinaryPrimitives.ReadUInt64BigEndian(rest.Span);
            if (!EntryWire.TryRead(rest.Slice(sizeof(ulong), length), out entries[i]) || entries[i].Index != _index + (ulong)i + 1)
            {
                return StreamRead.Malformed;
            }

            rest = rest[(sizeof(ulong) + length)..];
        }

        message = new Message
        {
            Type = MessageType.App,
            From = remote,
            To = local,
            Term = _term,
            LogTerm = _term,
            Index = _index,
            Entries = entries,
            Commit = BinaryPrimitives.ReadUInt64BigEndian(rest.Span),
        };
        _index += count;
        return StreamRead.Message;
    }

    /// <summary>Walks the lengths, so that nothing is allocated for a frame that is not there yet or is too large.</summary>
    private static StreamRead TryFindEnd(SequenceReader<byte> reader, out ulong count, out ulong frameBytes)
    {
        frameBytes = 0;
        var found = TryReadLength(ref reader, out count);
        var start = reader.Consumed - sizeof(ulong);
        for (ulong i = 0; i < count && found == StreamRead.Message; i++)
        {
            found = TryReadLength(ref reader, out var length);
            if (found == StreamRead.Message && (ulong)reader.Remaining < length)
            {
                found = StreamRead.Incomplete;
            }

            if (found == StreamRead.Message)
            {
                reader.Advance((long)length);
                frameBytes = (ulong)(reader.Consumed - start);
                found = frameBytes > StreamLimits.FrameBytesMax ? StreamRead.Malformed : StreamRead.Message;
            }
        }

        if (found == StreamRead.Message && !reader.TryReadBigEndian(out long _))
        {
            found = StreamRead.Incomplete;
        }

        frameBytes = (ulong)(reader.Consumed - start);
        return found;
    }
}
