using System.Collections.Immutable;

namespace Cairn.Raft.Wire;

/// <summary>raftpb.ConfChange as bytes: id 1, type 2, node_id 3, always written; context 4, left out when empty.</summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread.</remarks>
public static class ConfChangeWire
{
    /// <summary>Computes the encoded length.</summary>
    /// <param name="change">What to encode.</param>
    /// <returns>Bytes, at least 6.</returns>
    public static int Size(ConfChange change) =>
        WireWriter.FieldSize(change.Id)
        + WireWriter.FieldSize(unchecked((ulong)change.Type))
        + WireWriter.FieldSize(change.MemberId)
        + WireWriter.OptionalBytesFieldSize(change.Context.Length);

    /// <summary>Encodes into given space.</summary>
    /// <param name="change">What to encode.</param>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(ConfChange change, Span<byte> destination)
    {
        var writer = new WireWriter(destination);
        writer.Field(1, change.Id);
        writer.Field(2, unchecked((ulong)change.Type));
        writer.Field(3, change.MemberId);
        writer.OptionalBytesField(4, change.Context.Span);
        return writer.Position;
    }

    /// <summary>Encodes into bytes of its own, for <see cref="Entry.Data"/>.</summary>
    /// <param name="change">What to encode.</param>
    /// <returns>The bytes.</returns>
    public static byte[] ToBytes(ConfChange change)
    {
        var bytes = new byte[Size(change)];
        Write(change, bytes);
        return bytes;
    }

    /// <summary>Decodes; never throws.</summary>
    /// <param name="bytes">Exactly one encoded change.</param>
    /// <param name="change">The result; its context shares <paramref name="bytes"/>.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out ConfChange change)
    {
        change = default;
        ulong id = 0, memberId = 0;
        var type = 0;
        ReadOnlyMemory<byte> context = default;
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadVarint(kind, out id),
                2 => reader.TryReadInt32(kind, out type),
                3 => reader.TryReadVarint(kind, out memberId),
                4 => reader.TryReadBytes(kind, out context),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        change = new ConfChange(id, (ConfChangeType)type, memberId, context);
        return true;
    }
}

/// <summary>raftpb.ConfChangeV2 as bytes: transition 1, always written; changes 2 {type 1, node_id 2}; context 3, left out when empty.</summary>
/// <remarks>Source: etcd-io/raft, raftpb/raft.proto. Pure functions, any thread. No bytes at all are the empty change.</remarks>
public static class ConfChangeV2Wire
{
    /// <summary>Computes the encoded length.</summary>
    /// <param name="change">What to encode.</param>
    /// <returns>Bytes, at least 2.</returns>
    public static int Size(ConfChangeV2 change)
    {
        ArgumentNullException.ThrowIfNull(change);
        var size = WireWriter.FieldSize(unchecked((ulong)change.Transition)) + WireWriter.OptionalBytesFieldSize(change.Context.Length);
        foreach (var step in change.Changes)
        {
            size += WireWriter.BytesFieldSize(StepSize(step));
        }

        return size;
    }

    /// <summary>Encodes into given space.</summary>
    /// <param name="change">What to encode.</param>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(ConfChangeV2 change, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(change);
        var writer = new WireWriter(destination);
        writer.Field(1, unchecked((ulong)change.Transition));
        foreach (var step in change.Changes)
        {
            writer.Length(2, StepSize(step));
            writer.Field(1, unchecked((ulong)step.Type));
            writer.Field(2, step.MemberId);
        }

        writer.OptionalBytesField(3, change.Context.Span);
        return writer.Position;
    }

    /// <summary>Encodes into bytes of its own, for <see cref="Entry.Data"/>.</summary>
    /// <param name="change">What to encode.</param>
    /// <returns>The bytes.</returns>
    public static byte[] ToBytes(ConfChangeV2 change)
    {
        var bytes = new byte[Size(change)];
        Write(change, bytes);
        return bytes;
    }

    /// <summary>Decodes; never throws.</summary>
    /// <param name="bytes">Exactly one encoded change.</param>
    /// <param name="change">The result, or null; its context shares <paramref name="bytes"/>.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out ConfChangeV2? change)
    {
        change = null;
        var transition = 0;
        ReadOnlyMemory<byte> context = default;
        var steps = ImmutableArray.CreateBuilder<ConfChangeSingle>();
        var reader = new WireReader(bytes);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadInt32(kind, out transition),
                2 => TryReadStep(ref reader, kind, steps),
                3 => reader.TryReadBytes(kind, out context),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        change = new ConfChangeV2 { Transition = (ConfChangeTransition)transition, Changes = steps.ToImmutable(), Context = context };
        return true;
    }

    private static int StepSize(ConfChangeSingle step) =>
        WireWriter.FieldSize(unchecked((ulong)step.Type)) + WireWriter.FieldSize(step.MemberId);

    private static bool TryReadStep(ref WireReader outer, WireKind outerKind, ImmutableArray<ConfChangeSingle>.Builder steps)
    {
        if (!outer.TryReadBytes(outerKind, out var nested))
        {
            return false;
        }

        ulong memberId = 0;
        var type = 0;
        var reader = new WireReader(nested);
        while (!reader.AtEnd)
        {
            var read = reader.TryReadTag(out var field, out var kind) && field switch
            {
                1 => reader.TryReadInt32(kind, out type),
                2 => reader.TryReadVarint(kind, out memberId),
                _ => reader.TrySkip(kind),
            };
            if (!read)
            {
                return false;
            }
        }

        steps.Add(new ConfChangeSingle((ConfChangeType)type, memberId));
        return true;
    }
}
