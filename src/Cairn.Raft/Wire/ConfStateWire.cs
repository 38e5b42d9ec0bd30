using System.Buffers;
using System.Collections.Immutable;

namespace Cairn.Raft.Wire;

/// <summary>raftpb.ConfState as bytes: voters 1, learners 2, voters_outgoing 3, learners_next 4, unpacked; auto_leave 5, always written.</summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread. Packed lists are read too.</remarks>
public static class ConfStateWire
{
    /// <summary>Computes the encoded length.</summary>
    /// <param name="state">What to encode.</param>
    /// <returns>Bytes, at least 2.</returns>
    public static int Size(ConfState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return SizeOf(state.Voters) + SizeOf(state.Learners) + SizeOf(state.VotersOutgoing) + SizeOf(state.LearnersNext) + 2;
    }

    /// <summary>Encodes into given space.</summary>
    /// <param name="state">What to encode.</param>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(ConfState state, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(state);
        var writer = new WireWriter(destination);
        Write(ref writer, state);
        return writer.Position;
    }

    /// <summary>Encodes to the end of a buffer.</summary>
    /// <param name="state">What to encode.</param>
    /// <param name="writer">Receives the bytes.</param>
    public static void Write(ConfState state, IBufferWriter<byte> writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Advance(Write(state, writer.GetSpan(Size(state))));
    }

    /// <summary>Decodes; never throws.</summary>
    /// <param name="bytes">Exactly one encoded configuration.</param>
    /// <param name="state">The result, or the empty configuration.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out ConfState state)
    {
        state = ConfState.Empty;
        return TryMerge(bytes, ref state);
    }

    internal static void Write(ref WireWriter writer, ConfState state)
    {
        WriteList(ref writer, 1, state.Voters);
        WriteList(ref writer, 2, state.Learners);
        WriteList(ref writer, 3, state.VotersOutgoing);
        WriteList(ref writer, 4, state.LearnersNext);
        writer.Field(5, state.AutoLeave);
    }

    /// <summary>Decodes on top of what is there, as protobuf does when a sub-message occurs twice. Leaves <paramref name="state"/> alone on failure.</summary>
    internal static bool TryMerge(ReadOnlyMemory<byte> bytes, ref ConfState state)
    {
        var voters = new IdList(state.Voters);
        var learners = new IdList(state.Learners);
        var votersOutgoing = new IdList(state.VotersOutgoing);
        var learnersNext = new IdList(state.LearnersNext);
        var autoLeave = state.AutoLeave;
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => voters.TryRead(ref reader, kind),
                2 => learners.TryRead(ref reader, kind),
                3 => votersOutgoing.TryRead(ref reader, kind),
                4 => learnersNext.TryRead(ref reader, kind),
                5 => reader.TryReadBool(kind, out autoLeave),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        state = new ConfState
        {
            Voters = voters.ToImmutable(),
            Learners = learners.ToImmutable(),
            VotersOutgoing = votersOutgoing.ToImmutable(),
            LearnersNext = learnersNext.ToImmutable(),
            AutoLeave = autoLeave,
        };
        return true;
    }

    private static int SizeOf(ImmutableArray<ulong> ids)
    {
        var size = 0;
        foreach (var id in ids)
        {
            size += WireWriter.FieldSize(id);
        }

        return size;
    }

    private static void WriteList(ref WireWriter writer, int field, ImmutableArray<ulong> ids)
    {
        foreach (var id in ids)
        {
            writer.Field(field, id);
        }
    }

    private struct IdList(ImmutableArray<ulong> ids)
    {
        private ImmutableArray<ulong>.Builder? _added;

        public bool TryRead(ref WireReader reader, WireKind kind)
        {
            if (kind == WireKind.Bytes)
            {
                return reader.TryReadBytes(kind, out var packed) && TryReadPacked(packed);
            }

            if (!reader.TryReadVarint(kind, out var id))
            {
                return false;
            }

            Added().Add(id);
            return true;
        }

        public readonly ImmutableArray<ulong> ToImmutable() => _added is null ? ids : _added.ToImmutable();

        private bool TryReadPacked(ReadOnlyMemory<byte> packed)
        {
            var reader = new WireReader(packed);
            while (!reader.AtEnd)
            {
                if (!reader.TryReadVarint(out var id))
                {
                    return false;
                }

                Added().Add(id);
            }

            return true;
        }

        private ImmutableArray<ulong>.Builder Added()
        {
            if (_added is null)
            {
                _added = ImmutableArray.CreateBuilder<ulong>();
                _added.AddRange(ids);
            }

            return _added;
        }
    }
}
