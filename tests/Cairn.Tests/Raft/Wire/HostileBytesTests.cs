using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Xunit;

namespace Cairn.Tests.Raft.Wire;

/// <summary>Bytes from disk and network may be anything: decoding says no, and neither throws nor allocates without bound.</summary>
public sealed class HostileBytesTests
{
    [Theory]
    [InlineData("08")] // A tag without its value.
    [InlineData("0880")] // A number that does not end.
    [InlineData("0880808080808080808080808001")] // A number of more than ten bytes.
    [InlineData("2205")] // A length without its bytes.
    [InlineData("22ffffffffffffffffff01")] // A length beyond all memory.
    [InlineData("0a00")] // A number written as bytes.
    [InlineData("2001")] // Bytes written as a number.
    [InlineData("00")] // Field number 0.
    [InlineData("0c")] // The end of a group that did not begin.
    [InlineData("0e")] // A kind that does not exist.
    [InlineData("7b")] // A group that does not end.
    [InlineData("7d0000")] // Four bytes of which two are there.
    public void Malformed_entry_is_refused(string bytes)
    {
        Assert.False(EntryWire.TryRead(Convert.FromHexString(bytes), out var entry));
        Assert.Equal(default, entry);
    }

    [Theory]
    [InlineData("7807")] // A number.
    [InlineData("7a0100")] // Bytes.
    [InlineData("7d00000000")] // Four bytes.
    [InlineData("790000000000000000")] // Eight bytes.
    [InlineData("7b08017c")] // A group.
    [InlineData("7b7b7c7c")] // Nested groups.
    public void Unknown_fields_are_skipped(string unknown)
    {
        var known = "0801100318ac02220568656c6c6f";

        Assert.True(EntryWire.TryRead(Convert.FromHexString(unknown + known), out var after));
        Assert.True(EntryWire.TryRead(Convert.FromHexString(known + unknown), out var before));

        Assert.Equal(new Entry(3, 300, EntryType.ConfChange, "hello"u8.ToArray()), after);
        Assert.Equal(after, before);
    }

    [Fact]
    public void Fields_come_in_any_order_and_the_last_one_counts()
    {
        Assert.True(EntryWire.TryRead(Convert.FromHexString("2201611805100708001806220162"), out var entry));

        Assert.Equal(new Entry(7, 6, EntryType.Normal, "b"u8.ToArray()), entry);
    }

    [Fact]
    public void No_bytes_are_the_empty_value()
    {
        Assert.True(EntryWire.TryRead(default, out var entry));
        Assert.True(MessageWire.TryRead(default, out var message));
        Assert.True(ConfChangeV2Wire.TryRead(default, out var change));

        Assert.Equal(default, entry);
        Assert.Equal(new Message { Type = MessageType.Hup }, message);
        Assert.True(change!.LeavesJoint);
    }

    [Fact]
    public void Lists_are_read_packed_too()
    {
        Assert.True(ConfStateWire.TryRead(Convert.FromHexString("0a0301c8010802"), out var state));

        Assert.Equal([1, 200, 2], state.Voters);
    }

    [Fact]
    public void A_snapshot_that_comes_in_two_parts_is_put_together()
    {
        // Metadata with index 5, then metadata with term 6 and a voter.
        Assert.True(SnapshotWire.TryRead(Convert.FromHexString("1202100512060a0208011806"), out var snapshot));

        Assert.Equal(new SnapshotMetadata(new ConfState { Voters = [1] }, 5, 6), snapshot.Metadata);
    }

    [Fact]
    public void Messages_nested_without_end_are_refused_without_exhausting_the_stack()
    {
        byte[] bytes = [];
        for (var i = 0; i < 20_000; i++)
        {
            bytes = [0x72, .. Varint(bytes.Length), .. bytes];
        }

        Assert.False(MessageWire.TryRead(bytes, out _));
    }

    [Fact]
    public void Decoding_allocates_in_proportion_to_the_input()
    {
        // As many empty entries as fit: the worst ratio that there is.
        var bytes = new byte[20_000];
        for (var i = 0; i < bytes.Length; i += 2)
        {
            bytes[i] = 0x3A;
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(MessageWire.TryRead(bytes, out var message));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(10_000, message!.Entries.Length);
        Assert.InRange(allocated, 0, 25 * bytes.Length);
    }

    [Fact]
    public void Mutated_messages_are_read_or_refused_but_never_fatal()
    {
        var prng = new Prng(1);
        var read = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var message = RandomMessage(prng, depth: 0);
            var bytes = new byte[MessageWire.Size(message)];
            MessageWire.Write(message, bytes);
            Mutate(prng, ref bytes);
            if (!MessageWire.TryRead(bytes, out var mutated))
            {
                continue;
            }

            // What could be read can be written, and means the same then.
            read++;
            var again = new byte[MessageWire.Size(mutated!)];
            Assert.Equal(again.Length, MessageWire.Write(mutated!, again));
            Assert.True(MessageWire.TryRead(again, out var same));
            Assert.Equal(mutated, same);
        }

        Assert.InRange(read, 1_000, 19_000);
    }

    [Fact]
    public void Every_value_survives_the_way_there_and_back()
    {
        var prng = new Prng(2);
        for (var round = 0; round < 5_000; round++)
        {
            var message = RandomMessage(prng, depth: 0);
            var bytes = new byte[MessageWire.Size(message)];

            Assert.Equal(bytes.Length, MessageWire.Write(message, bytes));
            Assert.True(MessageWire.TryRead(bytes, out var read));
            Assert.Equal(message, read);
        }
    }

    [Fact]
    public void Every_prefix_of_a_message_is_read_or_refused()
    {
        var message = RandomMessage(new Prng(3), depth: 0);
        var bytes = new byte[MessageWire.Size(message)];
        MessageWire.Write(message, bytes);
        for (var length = 0; length < bytes.Length; length++)
        {
            var wasRead = MessageWire.TryRead(bytes.AsMemory(0, length), out var read);
            Assert.Equal(wasRead, read is not null);
        }
    }

    private static IEnumerable<byte> Varint(int value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            yield return (byte)(value | 0x80);
        }

        yield return (byte)value;
    }

    private static void Mutate(Prng prng, ref byte[] bytes)
    {
        for (var flips = prng.Below(4); flips > 0; flips--)
        {
            bytes[prng.Below(bytes.Length)] ^= (byte)(1 << prng.Below(8));
        }

        if (prng.Chance(1, 4))
        {
            bytes = bytes[..prng.Below(bytes.Length)];
        }
        else if (prng.Chance(1, 4))
        {
            prng.Fill(bytes.AsSpan(prng.Below(bytes.Length)));
        }
    }

    private static ulong Number(Prng prng) => prng.NextUInt64() >> prng.Below(64);

    private static byte[] Bytes(Prng prng)
    {
        var bytes = new byte[prng.Below(20)];
        prng.Fill(bytes);
        return bytes;
    }

    private static Message RandomMessage(Prng prng, int depth)
    {
        var entries = new Entry[prng.Below(4)];
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = new Entry(Number(prng), Number(prng), (EntryType)prng.Below(3), Bytes(prng));
        }

        return new Message
        {
            Type = (MessageType)prng.Below(24),
            To = Number(prng),
            From = Number(prng),
            Term = Number(prng),
            LogTerm = Number(prng),
            Index = Number(prng),
            Entries = entries,
            Commit = Number(prng),
            Vote = Number(prng),
            Snapshot = prng.Chance(1, 3) ? RandomSnapshot(prng) : null,
            Reject = prng.Chance(1, 2),
            RejectHint = Number(prng),
            Context = Bytes(prng),
            Responses = depth > 0 ? [] : [.. Enumerable.Range(0, prng.Below(3)).Select(_ => RandomMessage(prng, depth + 1))],
        };
    }

    private static Snapshot RandomSnapshot(Prng prng)
    {
        ImmutableArray<ulong> Ids() => [.. Enumerable.Range(0, prng.Below(4)).Select(_ => Number(prng))];
        var state = new ConfState { Voters = Ids(), Learners = Ids(), VotersOutgoing = Ids(), LearnersNext = Ids(), AutoLeave = prng.Chance(1, 2) };
        return new Snapshot(Bytes(prng), new SnapshotMetadata(state, Number(prng), Number(prng)));
    }
}
