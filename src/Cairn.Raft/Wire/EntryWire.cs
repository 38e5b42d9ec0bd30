using System.Buffers;

namespace Cairn.Raft.Wire;

/// <summary>raftpb.Entry as bytes: type 1, term 2, index 3, always written; data 4, left out when empty.</summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread.</remarks>
public static class EntryWire
{
    /// <summary>Computes the encoded length.</summary>
    /// <param name="entry">What to encode.</param>
    /// <returns>Bytes, at least 6.</returns>
    public static int Size(in Entry entry) =>
        WireWriter.FieldSize(unchecked((ulong)entry.Type))
        + WireWriter.FieldSize(entry.Term)
        + WireWriter.FieldSize(entry.Index)
        + WireWriter.OptionalBytesFieldSize(entry.Data.Length);

    /// <summary>Sums the encoded lengths of entries.</summary>
    /// <param name="entries">Any entries.</param>
    /// <returns>Bytes, without any framing between them.</returns>
    public static ulong Size(ReadOnlySpan<Entry> entries)
    {
        ulong size = 0;
        foreach (ref readonly var entry in entries)
        {
            size += (ulong)Size(entry);
        }

        return size;
    }

    /// <summary>Encodes into given space.</summary>
    /// <param name="entry">What to encode.</param>
    /// <param name="destination">At least <see cref="Size(in Entry)"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(in Entry entry, Span<byte> destination)
    {
        var writer = new WireWriter(destination);
        Write(ref writer, entry);
        return writer.Position;
    }

    /// <summary>Encodes to the end of a buffer.</summary>
    /// <param name="entry">What to encode.</param>
    /// <param name="writer">Receives the bytes.</param>
    public static void Write(in Entry entry, IBufferWriter<byte> writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Advance(Write(entry, writer.GetSpan(Size(entry))));
    }

    /// <summary>Decodes; never throws.</summary>
    /// <param name="bytes">Exactly one encoded entry.</param>
    /// <param name="entry">The result; its data shares <paramref name="bytes"/>, which must not change afterwards.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out Entry entry)
    {
        entry = default;
        ulong term = 0, index = 0;
        var type = 0;
        ReadOnlyMemory<byte> data = default;
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadInt32(kind, out type),
                2 => reader.TryReadVarint(kind, out term),
                3 => reader.TryReadVarint(kind, out index),
                4 => reader.TryReadBytes(kind, out data),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        entry = new Entry(term, index, (EntryType)type, data);
        return true;
    }

    internal static void Write(ref WireWriter writer, in Entry entry)
    {
        writer.Field(1, unchecked((ulong)entry.Type));
        writer.Field(2, entry.Term);
        writer.Field(3, entry.Index);
        writer.OptionalBytesField(4, entry.Data.Span);
    }
}
