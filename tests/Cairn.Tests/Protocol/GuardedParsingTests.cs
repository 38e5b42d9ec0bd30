using Cairn.Protocol;
using Cairn.State.Entries;
using Cairn.Tests.Grpc;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Protocol;

public sealed class GuardedParsingTests
{
    // The first use of a message's descriptor takes a megabyte; the library, without a guard, a thousand.
    private const long AllocatedBytesMax = 16 * 1024 * 1024;

    // What the library allocates at once.
    private static readonly byte[] Gigabyte = [0x80, 0x80, 0x80, 0x80, 0x04];

    /// <summary>Lengths that with their place make 2^31 or more, in all the ways that they can be written.</summary>
    public static TheoryData<byte[]> Lengths =>
    [
        new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x07 },
        new byte[] { 0xFA, 0xFF, 0xFF, 0xFF, 0x07 },
        new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x77 },
        new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x87, 0x00 },
        new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xF7, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 },
    ];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void A_length_beyond_all_is_refused_before_anything_is_allocated(byte[] length)
    {
        byte[] bytes = [0x0A, .. length, 0x1A, .. Gigabyte, 0, 0, 0];

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidProtocolBufferException>(() => TxnRequest.Parser.ParseGuarded(bytes));
        for (var size = 1; size <= bytes.Length; size++)
        {
            Assert.Throws<InvalidProtocolBufferException>(() => TxnRequest.Parser.ParseGuarded(Pieces.Of(bytes, size)));
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, AllocatedBytesMax);
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void An_entry_of_such_a_length_is_none(byte[] length)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Null(EntryDecoder.Decode((byte[])[0x22, .. length, 0x0A, .. Gigabyte]));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, AllocatedBytesMax);
    }

    [Fact]
    public void A_length_beyond_all_is_found_at_any_depth_and_after_any_value()
    {
        byte[] inner = [0x1A, 0x02, 0xFF, 0x07, 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x1A, .. Gigabyte];
        for (var depth = 0; depth < 5; depth++)
        {
            // TxnRequest.success, RequestOp.request_txn.
            inner = [0x12, (byte)(inner.Length + 2), 0x22, (byte)inner.Length, .. inner];
            Assert.Throws<InvalidProtocolBufferException>(() => TxnRequest.Parser.ParseGuarded(inner));
        }
    }

    [Fact]
    public void A_large_message_is_looked_at_whole()
    {
        // Two and a half megabytes on, a length may be as much smaller and still make 2^31: no byte of it is like those looked for in small ones.
        var value = new byte[5 << 19];
        byte[] bytes = [.. new TxnRequest { Compare = { new Compare { Key = UnsafeByteOperations.UnsafeWrap(value) } } }.ToByteArray(), 0x0A, 0x80, 0x80, 0xE0, 0xFE, 0x07, 0x1A, .. Gigabyte];

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidProtocolBufferException>(() => TxnRequest.Parser.ParseGuarded(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, AllocatedBytesMax);
        Assert.Equal(value.Length, TxnRequest.Parser.ParseGuarded(bytes.AsSpan(..^12)).Compare[0].Key.Length);
    }

    [Fact]
    public void Nothing_is_looked_at_closely_but_what_may_be_such_a_length()
    {
        Assert.False(GuardedParsing.IsSuspicious(new PutRequest { Key = ByteString.CopyFromUtf8("key"), Lease = -1, Value = ByteString.CopyFrom(0xFF, 0xFF) }.ToByteArray()));
        Assert.True(GuardedParsing.IsSuspicious([0xFF, 0xFF, 0x07]));
        Assert.True(GuardedParsing.IsSuspicious([0xFF, 0x97]));
        Assert.False(GuardedParsing.IsSuspicious([0x07, 0xFF]));
    }

    [Fact]
    public void Fields_and_groups_that_nobody_knows_are_kept()
    {
        // Field 100: a group with a number, a text and a group; field 101: a text that looks like a length; fields 102 and 103: of fixed size.
        byte[] bytes =
        [
            0xA3, 0x06, 0x08, 0x01, 0x12, 0x02, 0xFF, 0x07, 0x1B, 0x1C, 0xA4, 0x06, 0xAA, 0x06, 0x05, 0xFF, 0xFF, 0xFF, 0xFF, 0x07,
            0xB1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0xBD, 0x06, 1, 2, 3, 4,
        ];

        Assert.Equal(bytes.Order(), PutRequest.Parser.ParseGuarded(bytes).ToByteArray().Order());
        bytes[11] = 0x07;
        Assert.Throws<InvalidProtocolBufferException>(() => PutRequest.Parser.ParseGuarded(bytes));
    }

    [Fact]
    public void A_message_may_be_as_deep_as_the_library_takes_it()
    {
        var key = ByteString.CopyFrom(0xFF, 0x07);
        Assert.Equal(50, Enumerable.Range(1, 60).Count(depth => Accepts(Nested(depth, key).ToByteArray(), guarded: true)));
        Assert.Equal(50, Enumerable.Range(1, 60).Count(depth => Accepts(Nested(depth, key).ToByteArray(), guarded: false)));
    }

    [Fact]
    public void Whatever_is_a_message_is_accepted_and_whatever_the_library_refuses_is_refused()
    {
        var prng = new Prng(7);
        for (var i = 0; i < 5000; i++)
        {
            var message = RandomTxn(prng, 4);
            var bytes = message.ToByteArray();
            Assert.Equal(message, TxnRequest.Parser.ParseGuarded(bytes));
            Assert.Equal(message, TxnRequest.Parser.ParseGuarded(Pieces.Of(bytes, 1 + prng.Below(9))));

            // What is cut off has no length but those it had, so that the library alone is safe.
            bytes = bytes[..prng.Below(bytes.Length + 1)];
            Assert.Equal(Accepts(bytes, guarded: false), Accepts(bytes, guarded: true));
        }
    }

    private static bool Accepts(byte[] bytes, bool guarded)
    {
        try
        {
            _ = guarded ? TxnRequest.Parser.ParseGuarded(bytes) : TxnRequest.Parser.ParseFrom(bytes);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private static TxnRequest Nested(int depth, ByteString key) =>
        depth == 0 ? new TxnRequest() : depth == 1
            ? new TxnRequest { Success = { new RequestOp { RequestRange = new RangeRequest { Key = key } } } }
            : new TxnRequest { Success = { new RequestOp { RequestTxn = Nested(depth - 1, key) } } };

    private static TxnRequest RandomTxn(Prng prng, int depth)
    {
        var txn = new TxnRequest();
        for (var left = prng.Below(4); left > 0; left--)
        {
            txn.Compare.Add(new Compare { Key = RandomBytes(prng), ModRevision = -prng.Below(3), Target = Compare.Types.CompareTarget.Mod });
            txn.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = RandomBytes(prng), Value = RandomBytes(prng), Lease = long.MaxValue - prng.Below(3) } });
            if (depth > 0)
            {
                txn.Failure.Add(new RequestOp { RequestTxn = RandomTxn(prng, depth - 1) });
            }
        }

        return txn;
    }

    private static ByteString RandomBytes(Prng prng)
    {
        var bytes = new byte[prng.Below(30)];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = prng.Chance(1, 2) ? (byte)0xFF : (byte)(prng.Below(16) * 16 + 7);
        }

        return ByteString.CopyFrom(bytes);
    }
}
