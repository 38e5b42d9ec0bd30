using System.Buffers;
using System.Runtime.InteropServices;

namespace Cairn.Raft.Wire;

/// <summary>
/// raftpb.Message as bytes: type 1, to 2, from 3, term 4, logTerm 5, index 6, entries 7, commit 8, snapshot 9, reject 10, rejectHint 11, context 12, vote 13, responses 14.
/// Numbers are always written; entries, snapshot, context and responses only when there are any.
/// </summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread.</remarks>
public static class MessageWire
{
    // Responses hold no responses of their own; one level more is room for a newer sender. The limit keeps hostile bytes from exhausting the stack.
    private const int ResponseDepthMax = 2;

    /// <summary>Computes the encoded length.</summary>
    /// <param name="message">What to encode.</param>
    /// <returns>Bytes; more than an array can hold is not supported and overflows.</returns>
    public static int Size(Message message)
    {
        ArgumentNullException.ThrowIfNull(message);
        checked
        {
            var size = WireWriter.FieldSize(unchecked((ulong)message.Type))
                + WireWriter.FieldSize(message.To)
                + WireWriter.FieldSize(message.From)
                + WireWriter.FieldSize(message.Term)
                + WireWriter.FieldSize(message.LogTerm)
                + WireWriter.FieldSize(message.Index)
                + WireWriter.FieldSize(message.Commit)
                + (message.Snapshot is null ? 0 : WireWriter.BytesFieldSize(SnapshotWire.Size(message.Snapshot)))
                + 2
                + WireWriter.FieldSize(message.RejectHint)
                + WireWriter.OptionalBytesFieldSize(message.Context.Length)
                + WireWriter.FieldSize(message.Vote);
            foreach (ref readonly var entry in message.Entries.Span)
            {
                size += WireWriter.BytesFieldSize(EntryWire.Size(entry));
            }

            foreach (var response in message.Responses)
            {
                size += WireWriter.BytesFieldSize(Size(response));
            }

            return size;
        }
    }

    /// <summary>Encodes into given space.</summary>
    /// <param name="message">What to encode.</param>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(Message message, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(message);
        var writer = new WireWriter(destination);
        Write(ref writer, message);
        return writer.Position;
    }

    /// <summary>Encodes to the end of a buffer.</summary>
    /// <param name="message">What to encode.</param>
    /// <param name="writer">Receives the bytes.</param>
    public static void Write(Message message, IBufferWriter<byte> writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Advance(Write(message, writer.GetSpan(Size(message))));
    }

    /// <summary>Decodes; never throws, and allocates no more than a fixed multiple of the input.</summary>
    /// <param name="bytes">Exactly one encoded message.</param>
    /// <param name="message">The result, or null; entry data, context and snapshot data share <paramref name="bytes"/>, which must not change afterwards.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out Message? message) => TryRead(bytes, 0, out message);

    private static void Write(ref WireWriter writer, Message message)
    {
        writer.Field(1, unchecked((ulong)message.Type));
        writer.Field(2, message.To);
        writer.Field(3, message.From);
        writer.Field(4, message.Term);
        writer.Field(5, message.LogTerm);
        writer.Field(6, message.Index);
        foreach (ref readonly var entry in message.Entries.Span)
        {
            writer.Length(7, EntryWire.Size(entry));
            EntryWire.Write(ref writer, entry);
        }

        writer.Field(8, message.Commit);
        if (message.Snapshot is not null)
        {
            writer.Length(9, SnapshotWire.Size(message.Snapshot));
            SnapshotWire.Write(ref writer, message.Snapshot);
        }

        writer.Field(10, message.Reject);
        writer.Field(11, message.RejectHint);
        writer.OptionalBytesField(12, message.Context.Span);
        writer.Field(13, message.Vote);
        foreach (var response in message.Responses)
        {
            writer.Length(14, Size(response));
            Write(ref writer, response);
        }
    }

    private static bool TryRead(ReadOnlyMemory<byte> bytes, int depth, out Message? message)
    {
        message = null;
        var draft = new Draft();
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            if (!reader.TryReadTag(out var field, out var kind) || !draft.TryRead(ref reader, field, kind, depth))
            {
                return false;
            }
        }

        message = draft.ToMessage();
        return true;
    }

    private struct Draft
    {
        private int _type;
        private ulong _to;
        private ulong _from;
        private ulong _term;
        private ulong _logTerm;
        private ulong _index;
        private ulong _commit;
        private ulong _vote;
        private bool _reject;
        private ulong _rejectHint;
        private ReadOnlyMemory<byte> _context;
        private Snapshot? _snapshot;
        private Entry[]? _entries;
        private int _entryCount;
        private Message[]? _responses;
        private int _responseCount;

        public bool TryRead(ref WireReader reader, int field, WireKind kind, int depth) => field switch
        {
            1 => reader.TryReadInt32(kind, out _type),
            2 => reader.TryReadVarint(kind, out _to),
            3 => reader.TryReadVarint(kind, out _from),
            4 => reader.TryReadVarint(kind, out _term),
            5 => reader.TryReadVarint(kind, out _logTerm),
            6 => reader.TryReadVarint(kind, out _index),
            7 => TryReadEntry(ref reader, kind),
            8 => reader.TryReadVarint(kind, out _commit),
            9 => TryReadSnapshot(ref reader, kind),
            10 => reader.TryReadBool(kind, out _reject),
            11 => reader.TryReadVarint(kind, out _rejectHint),
            12 => reader.TryReadBytes(kind, out _context),
            13 => reader.TryReadVarint(kind, out _vote),
            14 => TryReadResponse(ref reader, kind, depth),
            _ => reader.TrySkip(kind),
        };

        public readonly Message ToMessage() => new()
        {
            Type = (MessageType)_type,
            To = _to,
            From = _from,
            Term = _term,
            LogTerm = _logTerm,
            Index = _index,
            Entries = _entries.AsMemory(0, _entryCount),
            Commit = _commit,
            Vote = _vote,
            Snapshot = _snapshot,
            Reject = _reject,
            RejectHint = _rejectHint,
            Context = _context,
            Responses = _responses is null ? [] : ImmutableCollectionsMarshal.AsImmutableArray(_responses),
        };

        private bool TryReadEntry(ref WireReader reader, WireKind kind)
        {
            if (!reader.TryReadBytes(kind, out var nested) || !EntryWire.TryRead(nested, out var entry))
            {
                return false;
            }

            _entries ??= new Entry[1 + reader.CountOf(7)];
            _entries[_entryCount++] = entry;
            return true;
        }

        private bool TryReadSnapshot(ref WireReader reader, WireKind kind)
        {
            var snapshot = _snapshot ?? Snapshot.Empty;
            if (!reader.TryReadBytes(kind, out var nested) || !SnapshotWire.TryMerge(nested, ref snapshot))
            {
                return false;
            }

            _snapshot = snapshot;
            return true;
        }

        private bool TryReadResponse(ref WireReader reader, WireKind kind, int depth)
        {
            if (depth == ResponseDepthMax || !reader.TryReadBytes(kind, out var nested) || !MessageWire.TryRead(nested, depth + 1, out var response))
            {
                return false;
            }

            _responses ??= new Message[1 + reader.CountOf(14)];
            _responses[_responseCount++] = response!;
            return true;
        }
    }
}
