using System.Buffers;

namespace Cairn.Raft.Wire;

/// <summary>raftpb.Snapshot as bytes: data 1, left out when empty; metadata 2 {conf_state 1, index 2, term 3}, always written.</summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread.</remarks>
public static class SnapshotWire
{
    /// <summary>Computes the encoded length.</summary>
    /// <param name="snapshot">What to encode.</param>
    /// <returns>Bytes.</returns>
    public static int Size(Snapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return WireWriter.OptionalBytesFieldSize(snapshot.Data.Length) + WireWriter.BytesFieldSize(MetadataSize(snapshot.Metadata));
    }

    /// <summary>Encodes into given space.</summary>
    /// <param name="snapshot">What to encode.</param>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(Snapshot snapshot, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var writer = new WireWriter(destination);
        Write(ref writer, snapshot);
        return writer.Position;
    }

    /// <summary>Encodes to the end of a buffer.</summary>
    /// <param name="snapshot">What to encode.</param>
    /// <param name="writer">Receives the bytes.</param>
    public static void Write(Snapshot snapshot, IBufferWriter<byte> writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Advance(Write(snapshot, writer.GetSpan(Size(snapshot))));
    }

    /// <summary>Decodes; never throws.</summary>
    /// <param name="bytes">Exactly one encoded snapshot.</param>
    /// <param name="snapshot">The result; its data shares <paramref name="bytes"/>, which must not change afterwards.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out Snapshot snapshot)
    {
        snapshot = Snapshot.Empty;
        return TryMerge(bytes, ref snapshot);
    }

    internal static void Write(ref WireWriter writer, Snapshot snapshot)
    {
        var metadata = snapshot.Metadata;
        writer.OptionalBytesField(1, snapshot.Data.Span);
        writer.Length(2, MetadataSize(metadata));
        writer.Length(1, ConfStateWire.Size(metadata.ConfState));
        ConfStateWire.Write(ref writer, metadata.ConfState);
        writer.Field(2, metadata.Index);
        writer.Field(3, metadata.Term);
    }

    /// <summary>Decodes on top of what is there. Leaves <paramref name="snapshot"/> alone on failure.</summary>
    internal static bool TryMerge(ReadOnlyMemory<byte> bytes, ref Snapshot snapshot)
    {
        var data = snapshot.Data;
        var metadata = snapshot.Metadata;
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadBytes(kind, out data),
                2 => reader.TryReadBytes(kind, out var nested) && TryMergeMetadata(nested, ref metadata),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        snapshot = new Snapshot(data, metadata);
        return true;
    }

    private static int MetadataSize(SnapshotMetadata metadata) =>
        WireWriter.BytesFieldSize(ConfStateWire.Size(metadata.ConfState))
        + WireWriter.FieldSize(metadata.Index)
        + WireWriter.FieldSize(metadata.Term);

    private static bool TryMergeMetadata(ReadOnlyMemory<byte> bytes, ref SnapshotMetadata metadata)
    {
        var confState = metadata.ConfState;
        var index = metadata.Index;
        var term = metadata.Term;
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadBytes(kind, out var nested) && ConfStateWire.TryMerge(nested, ref confState),
                2 => reader.TryReadVarint(kind, out index),
                3 => reader.TryReadVarint(kind, out term),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        metadata = new SnapshotMetadata(confState, index, term);
        return true;
    }
}
