using System.Buffers;

namespace Cairn.Raft.Wire;

/// <summary>raftpb.HardState as bytes: term 1, vote 2, commit 3, all always written.</summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread.</remarks>
public static class HardStateWire
{
    /// <summary>Computes the encoded length.</summary>
    /// <param name="state">What to encode.</param>
    /// <returns>Bytes, from 6 to 33.</returns>
    public static int Size(HardState state) =>
        WireWriter.FieldSize(state.Term) + WireWriter.FieldSize(state.Vote) + WireWriter.FieldSize(state.Commit);

    /// <summary>Encodes into given space.</summary>
    /// <param name="state">What to encode.</param>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(HardState state, Span<byte> destination)
    {
        var writer = new WireWriter(destination);
        writer.Field(1, state.Term);
        writer.Field(2, state.Vote);
        writer.Field(3, state.Commit);
        return writer.Position;
    }

    /// <summary>Encodes to the end of a buffer.</summary>
    /// <param name="state">What to encode.</param>
    /// <param name="writer">Receives the bytes.</param>
    public static void Write(HardState state, IBufferWriter<byte> writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Advance(Write(state, writer.GetSpan(Size(state))));
    }

    /// <summary>Decodes; never throws.</summary>
    /// <param name="bytes">Exactly one encoded state.</param>
    /// <param name="state">The result, or the empty state.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out HardState state)
    {
        state = default;
        ulong term = 0, vote = 0, commit = 0;
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadVarint(kind, out term),
                2 => reader.TryReadVarint(kind, out vote),
                3 => reader.TryReadVarint(kind, out commit),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        state = new HardState(term, vote, commit);
        return true;
    }
}
