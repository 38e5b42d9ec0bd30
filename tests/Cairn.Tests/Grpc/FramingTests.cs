using System.Buffers;
using Cairn.Grpc;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Grpc;

public sealed class FramingTests
{
    [Fact]
    public void A_written_message_is_read_back_whole_and_nothing_is_left()
    {
        var request = new PutRequest { Key = ByteString.CopyFromUtf8("k"), Value = ByteString.CopyFrom(new byte[100_000]) };
        var output = new ArrayBufferWriter<byte>();

        int length = Framing.Write(output, request);
        var bytes = new ReadOnlySequence<byte>(output.WrittenMemory);
        FrameOutcome outcome = Framing.TryRead(ref bytes, uint.MaxValue, out FrameHead head, out ReadOnlySequence<byte> message);

        Assert.Equal(FrameOutcome.Complete, outcome);
        Assert.Equal((uint)length, head.Length);
        Assert.Equal(request, PutRequest.Parser.ParseFrom(message));
        Assert.True(bytes.IsEmpty);
    }

    [Fact]
    public void Any_cut_of_a_frame_is_incomplete_and_takes_nothing()
    {
        var output = new ArrayBufferWriter<byte>();
        Framing.Write(output, new PutRequest { Key = ByteString.CopyFromUtf8("key") });

        for (int cut = 0; cut < output.WrittenCount; cut++)
        {
            var bytes = new ReadOnlySequence<byte>(output.WrittenMemory[..cut]);
            Assert.Equal(FrameOutcome.Incomplete, Framing.TryRead(ref bytes, uint.MaxValue, out _, out _));
            Assert.Equal(cut, bytes.Length);
        }
    }

    [Fact]
    public void A_frame_is_read_across_segments_of_one_byte()
    {
        var output = new ArrayBufferWriter<byte>();
        var request = new PutRequest { Key = ByteString.CopyFromUtf8("key") };
        Framing.Write(output, request);
        ReadOnlySequence<byte> bytes = Pieces.Of(output.WrittenMemory, size: 1);

        Assert.Equal(FrameOutcome.Complete, Framing.TryRead(ref bytes, uint.MaxValue, out _, out ReadOnlySequence<byte> message));
        Assert.Equal(request, PutRequest.Parser.ParseFrom(message));
    }

    [Fact]
    public void A_message_of_exactly_the_limit_is_taken_and_one_more_byte_is_too_large_before_it_has_arrived()
    {
        byte[] frame = new byte[5 + 10];
        Framing.WriteHead(frame, 10);
        var fits = new ReadOnlySequence<byte>(frame);
        var tooLarge = new ReadOnlySequence<byte>(frame.AsMemory(0, 5));

        Assert.Equal(FrameOutcome.Complete, Framing.TryRead(ref fits, 10, out _, out _));
        Assert.Equal(FrameOutcome.TooLarge, Framing.TryRead(ref tooLarge, 9, out FrameHead head, out _));
        Assert.Equal(10u, head.Length);
    }

    [Fact]
    public void A_flag_other_than_0_and_1_breaks_the_stream()
    {
        var bytes = new ReadOnlySequence<byte>([2, 0, 0, 0, 0]);

        Assert.Equal(FrameOutcome.BadFlag, Framing.TryRead(ref bytes, uint.MaxValue, out FrameHead head, out _));
        Assert.Equal(2, head.Flag);
    }

    [Theory]
    [InlineData("etcdserver: requested lease not found", "etcdserver: requested lease not found")]
    [InlineData("100%", "100%25")]
    [InlineData("a\nb", "a%0Ab")]
    [InlineData("ü", "%C3%BC")]
    [InlineData("", "")]
    public void Messages_are_escaped_byte_by_byte_and_come_back(string text, string escaped)
    {
        Assert.Equal(escaped, PercentText.Encode(text));
        Assert.Equal(text, PercentText.Decode(escaped));
    }

    [Theory]
    [InlineData("%")]
    [InlineData("%4")]
    [InlineData("%zz")]
    public void A_percent_sign_that_escapes_nothing_stands_for_itself(string text) => Assert.Equal(text, PercentText.Decode(text));

    [Theory]
    [InlineData("1n", 1)]
    [InlineData("100n", 1)]
    [InlineData("5u", 50)]
    [InlineData("10m", 100_000)]
    [InlineData("7S", 70_000_000)]
    [InlineData("2M", 1_200_000_000)]
    [InlineData("1H", 36_000_000_000)]
    public void Timeouts_are_read_in_every_unit(string text, long ticks)
    {
        Assert.True(GrpcTimeout.TryParse(text, out TimeSpan timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("5")]
    [InlineData("-1S")]
    [InlineData("123456789S")]
    [InlineData("1x")]
    public void Timeouts_of_another_form_are_refused(string text) => Assert.False(GrpcTimeout.TryParse(text, out _));

    [Theory]
    [InlineData(5_000)]
    [InlineData(86_400_000)]
    [InlineData(1)]
    public void A_written_timeout_is_never_shorter_than_meant(long milliseconds)
    {
        TimeSpan meant = TimeSpan.FromMilliseconds(milliseconds);

        Assert.True(GrpcTimeout.TryParse(GrpcTimeout.Format(meant), out TimeSpan read));
        Assert.True(read >= meant && read < meant + TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_message_that_unfolds_beyond_the_limit_is_stopped_and_one_that_fits_is_inflated()
    {
        byte[] bomb = Zip(new byte[1_000_000]);

        Assert.Equal(InflateOutcome.TooLarge, Gzip.TryInflate(new ReadOnlySequence<byte>(bomb), 999_999, out _));
        Assert.Equal(InflateOutcome.Complete, Gzip.TryInflate(new ReadOnlySequence<byte>(bomb), 1_000_000, out byte[] message));
        Assert.Equal(1_000_000, message.Length);
        Assert.Equal(InflateOutcome.Malformed, Gzip.TryInflate(new ReadOnlySequence<byte>("no gzip at all"u8.ToArray()), 100, out _));
    }

    [Fact]
    public void Status_numbers_beyond_the_known_ones_read_as_unknown()
    {
        Assert.True(GrpcStatus.TryParseCode("14", out GrpcStatusCode known));
        Assert.Equal(GrpcStatusCode.Unavailable, known);
        Assert.True(GrpcStatus.TryParseCode("99", out GrpcStatusCode unknown));
        Assert.Equal(GrpcStatusCode.Unknown, unknown);
        Assert.False(GrpcStatus.TryParseCode("OK", out _));
    }

    private static byte[] Zip(byte[] bytes)
    {
        using var zipped = new MemoryStream();
        using (var stream = new System.IO.Compression.GZipStream(zipped, System.IO.Compression.CompressionMode.Compress))
        {
            stream.Write(bytes);
        }

        return zipped.ToArray();
    }
}
