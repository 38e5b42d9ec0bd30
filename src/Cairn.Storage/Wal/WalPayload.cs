using System.Buffers.Binary;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Storage.Wal;

/// <summary>Reads and writes the payloads of records that raft does not define, and judges whether a payload can be what its record says.</summary>
/// <remarks>
/// <para>
/// The type of a record is not covered by its checksum, so a flipped bit can turn an entry into a state that parses. Every payload is therefore held against
/// what it must be: fields in their order and nothing else.
/// </para>
/// <para>
/// The state that ends a batch of Cairn's carries one field more than etcd's (15): where in the segment the batch begins. etcd skips it, as protobuf asks. It
/// tells which batch a broken record belongs to, and so whether anybody can have been told of it; and it tells batches of Cairn from those of etcd.
/// Behind a broken record the checksum of the chain cannot be judged, and a power cut may garble a state as well: so it carries a checksum of its own (14).
/// </para>
/// </remarks>
internal static class WalPayload
{
    /// <summary>What <see cref="TryReadState"/> answers for a state that etcd wrote.</summary>
    public const long NoBatch = -1;

    private const byte FirstTag = 0x08;
    private const byte SecondTag = 0x10;
    private const byte ThirdTag = 0x18;
    private const byte ThirdBytesTag = 0x1A;
    private const byte FourthBytesTag = 0x22;
    private const byte BatchTag = 0x78;
    private const byte CheckTag = 0x75;
    private const int CheckBytes = 1 + sizeof(uint);

    /// <summary>Bytes of a state with its batch.</summary>
    /// <param name="state">The state.</param>
    /// <param name="batch">Where its batch begins.</param>
    /// <returns>Bytes.</returns>
    public static int StateSize(HardState state, long batch) => HardStateWire.Size(state) + 1 + Varint.Size((ulong)batch) + CheckBytes;

    /// <summary>Writes a state with its batch.</summary>
    /// <param name="state">The state.</param>
    /// <param name="batch">Where its batch begins.</param>
    /// <param name="destination">As large as <see cref="StateSize"/> says.</param>
    public static void WriteState(HardState state, long batch, Span<byte> destination)
    {
        var position = HardStateWire.Write(state, destination);
        position += Varint.WriteField(destination[position..], BatchTag, (ulong)batch);
        destination[position] = CheckTag;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[(position + 1)..], Crc32C.Update(0, destination[..position]));
    }

    /// <summary>Reads a state.</summary>
    /// <param name="data">Payload.</param>
    /// <param name="state">The state.</param>
    /// <param name="batch">Where its batch begins, or <see cref="NoBatch"/>.</param>
    /// <returns>False if it is no state.</returns>
    public static bool TryReadState(ReadOnlySpan<byte> data, out HardState state, out long batch)
    {
        state = default;
        batch = NoBatch;
        var position = 0;
        if (!Varint.TryReadField(data, ref position, FirstTag, out var term) || !Varint.TryReadField(data, ref position, SecondTag, out var vote)
            || !Varint.TryReadField(data, ref position, ThirdTag, out var commit))
        {
            return false;
        }

        if (position < data.Length)
        {
            if (!Varint.TryReadField(data, ref position, BatchTag, out var begin) || begin > int.MaxValue)
            {
                return false;
            }

            batch = (long)begin;

            // Earlier builds wrote none.
            if (position < data.Length && !TryPassCheck(data, ref position))
            {
                return false;
            }
        }

        // Nobody votes or commits in term 0.
        state = new HardState(term, vote, commit);
        return position == data.Length && (term > 0 || state.IsEmpty);
    }

    /// <summary>Whether a payload is an entry: the fields etcd writes, in their order, and values an entry can have.</summary>
    /// <param name="data">Payload.</param>
    /// <param name="type">Kind of entry.</param>
    /// <param name="term">Its term.</param>
    /// <param name="index">Its index.</param>
    /// <param name="payload">Where in <paramref name="data"/> the entry's own data begins; its end is the end.</param>
    /// <returns>False if it is no entry.</returns>
    public static bool TryReadEntry(ReadOnlySpan<byte> data, out EntryType type, out ulong term, out ulong index, out int payload)
    {
        payload = 0;
        term = index = 0;
        type = default;
        if (!Varint.TryReadField(data, ref payload, FirstTag, out var kind) || kind > (ulong)EntryType.ConfChangeV2
            || !Varint.TryReadField(data, ref payload, SecondTag, out term) || !Varint.TryReadField(data, ref payload, ThirdTag, out index))
        {
            return false;
        }

        ulong length = 0;
        if (payload < data.Length && !Varint.TryReadField(data, ref payload, FourthBytesTag, out length))
        {
            return false;
        }

        // A change of membership says which: without data it is a state whose type was damaged. (One of several members may: it leaves a joint configuration.)
        type = (EntryType)kind;
        return length == (ulong)(data.Length - payload) && term > 0 && index > 0 && (type != EntryType.ConfChange || length > 0);
    }

    /// <summary>Encodes a snapshot mark.</summary>
    /// <param name="mark">The mark.</param>
    /// <returns>Payload.</returns>
    public static byte[] EncodeMark(in WalSnapshotMark mark)
    {
        var head = 2 + Varint.Size(mark.Index) + Varint.Size(mark.Term);
        if (mark.Index == 0)
        {
            var birth = new byte[head];
            WriteMarkHead(mark, birth);
            return birth;
        }

        var confStateBytes = ConfStateWire.Size(mark.ConfState);
        var bytes = new byte[head + 1 + Varint.Size((ulong)confStateBytes) + confStateBytes];
        var position = WriteMarkHead(mark, bytes);
        position += Varint.WriteField(bytes.AsSpan(position), ThirdBytesTag, (ulong)confStateBytes);
        ConfStateWire.Write(mark.ConfState, bytes.AsSpan(position));
        return bytes;
    }

    /// <summary>Decodes a snapshot mark.</summary>
    /// <param name="data">Payload.</param>
    /// <param name="mark">The mark.</param>
    /// <returns>False if it is none.</returns>
    public static bool TryReadMark(ReadOnlySpan<byte> data, out WalSnapshotMark mark)
    {
        mark = default;
        var position = 0;
        if (!Varint.TryReadField(data, ref position, FirstTag, out var index) || !Varint.TryReadField(data, ref position, SecondTag, out var term)
            || (index == 0) != (term == 0))
        {
            return false;
        }

        var confState = ConfState.Empty;
        if (position < data.Length
            && (!Varint.TryReadField(data, ref position, ThirdBytesTag, out var length) || length != (ulong)(data.Length - position)
                || !ConfStateWire.TryRead(data[position..].ToArray(), out confState)))
        {
            return false;
        }

        mark = new WalSnapshotMark(index, term, confState);
        return true;
    }

    /// <summary>Encodes the metadata.</summary>
    /// <param name="metadata">Whose log it is.</param>
    /// <returns>Payload.</returns>
    public static byte[] EncodeMetadata(WalMetadata metadata)
    {
        var bytes = new byte[2 + Varint.Size(metadata.MemberId) + Varint.Size(metadata.ClusterId)];
        var position = Varint.WriteField(bytes, FirstTag, metadata.MemberId);
        Varint.WriteField(bytes.AsSpan(position), SecondTag, metadata.ClusterId);
        return bytes;
    }

    /// <summary>Decodes the metadata.</summary>
    /// <param name="data">Payload.</param>
    /// <param name="metadata">Whose log it is.</param>
    /// <returns>False if it is none.</returns>
    public static bool TryReadMetadata(ReadOnlySpan<byte> data, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out WalMetadata? metadata)
    {
        metadata = null;
        var position = 0;
        if (!Varint.TryReadField(data, ref position, FirstTag, out var member) || !Varint.TryReadField(data, ref position, SecondTag, out var cluster)
            || position != data.Length)
        {
            return false;
        }

        metadata = new WalMetadata(member, cluster);
        return true;
    }

    private static bool TryPassCheck(ReadOnlySpan<byte> data, ref int position)
    {
        var check = data[position..];
        var passes = check.Length == CheckBytes && check[0] == CheckTag && BinaryPrimitives.ReadUInt32LittleEndian(check[1..]) == Crc32C.Update(0, data[..position]);
        position = data.Length;
        return passes;
    }

    private static int WriteMarkHead(in WalSnapshotMark mark, Span<byte> destination)
    {
        var position = Varint.WriteField(destination, FirstTag, mark.Index);
        return position + Varint.WriteField(destination[position..], SecondTag, mark.Term);
    }
}
