using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Cairn.Host.Listening;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class SharedPortTests
{
    [Theory]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Http2")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", "Http2")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "Undecided")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\n", "Http1")]
    [InlineData("PRI ", "Undecided")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "Http1")]
    [InlineData("PUT /x HTTP/1.1\r\nHost: x\r\n\r\nbody", "Http1")]
    [InlineData("PROPFIND / HTTP/1.0\n\n", "Http1")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n", "Undecided")]
    [InlineData("GET /", "Undecided")]
    [InlineData("PRIX", "Undecided")]
    [InlineData("hello\r\n", "Http1")]
    [InlineData("GET \u0001", "Http1")]
    [InlineData("\r\n", "Http1")]
    [InlineData("\u0016\u0003\u0001", "Http1")]
    [InlineData("PRI", "Undecided")]
    [InlineData("", "Undecided")]
    public void The_first_bytes_tell_the_protocol(string bytes, string protocol) =>
        Assert.Equal(protocol, PrefaceJudge.Judge(new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(bytes))).ToString());

    [Theory]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Http2")]
    [InlineData("PUT /x HTTP/1.1\r\n\r\n", "Http1")]
    public async Task Peeking_leaves_every_byte_to_the_next_reader_even_when_they_trickle_in(string text, string protocol)
    {
        var pipe = new Pipe();
        Task<Preface> peeking = new ReadAhead(pipe.Reader).UntilAsync(PrefaceJudge.Judge, TestContext.Current.CancellationToken);
        foreach (byte value in Encoding.ASCII.GetBytes(text))
        {
            await pipe.Writer.WriteAsync(new[] { value }, TestContext.Current.CancellationToken);
        }

        Assert.Equal(protocol, (await peeking).ToString());
        await pipe.Writer.CompleteAsync();
        ReadResult all = await pipe.Reader.ReadAtLeastAsync(text.Length, TestContext.Current.CancellationToken);
        Assert.Equal(text, Encoding.ASCII.GetString(all.Buffer));
    }

    [Fact]
    public async Task A_handshake_of_tls_is_told_from_plain_bytes_and_left_unread()
    {
        var pipe = new Pipe();
        await pipe.Writer.WriteAsync(new byte[] { 0x16, 3, 1, 0, 2, 1, 0 }, TestContext.Current.CancellationToken);

        Assert.Equal(Preface.Tls, await new ReadAhead(pipe.Reader).UntilAsync(PrefaceJudge.JudgeTls, TestContext.Current.CancellationToken));
        Assert.True(pipe.Reader.TryRead(out ReadResult read));
        Assert.Equal(7, read.Buffer.Length);
        Assert.Equal(Preface.Http1, PrefaceJudge.JudgeTls(new ReadOnlySequence<byte>("GET"u8.ToArray())));
    }

    [Theory]
    [InlineData("", "Undecided")]
    [InlineData("16", "Undecided")]
    [InlineData("16030100", "Undecided")]
    [InlineData("1603010002", "Undecided")]
    [InlineData("160301000201", "Undecided")]
    [InlineData("16030100020100", "Tls")]
    [InlineData("1603010002010016", "Tls")]
    [InlineData("160301FFFF", "Tls")]
    public void A_handshake_of_tls_begins_when_its_first_record_is_whole_or_cannot_be(string bytes, string protocol) =>
        Assert.Equal(protocol, PrefaceJudge.JudgeTls(new ReadOnlySequence<byte>(Convert.FromHexString(bytes))).ToString());

    [Fact]
    public async Task The_next_read_after_a_peek_returns_at_once()
    {
        var pipe = new Pipe();
        await pipe.Writer.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);

        await new ReadAhead(pipe.Reader).UntilAsync(PrefaceJudge.Judge, TestContext.Current.CancellationToken);

        Assert.True(pipe.Reader.TryRead(out ReadResult read));
        Assert.Equal(24, read.Buffer.Length);
    }

    [Fact]
    public async Task A_connection_that_ends_before_it_says_which_protocol_speaks_none()
    {
        var pipe = new Pipe();
        await pipe.Writer.WriteAsync("PR"u8.ToArray(), TestContext.Current.CancellationToken);
        await pipe.Writer.CompleteAsync();

        Assert.Equal(Preface.Undecided, await new ReadAhead(pipe.Reader).UntilAsync(PrefaceJudge.Judge, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_head_that_is_longer_than_the_server_takes_is_left_to_it() =>
        Assert.Equal(Preface.Http1, PrefaceJudge.Judge(new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nx: {new string('y', 48 * 1024)}"))));

    [Fact]
    public void A_head_in_pieces_is_whole_once_its_empty_line_is_there()
    {
        byte[] head = Encoding.ASCII.GetBytes("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        for (int cut = 5; cut < head.Length; cut++)
        {
            var first = new Piece(head.AsMemory(0, cut));
            Assert.Equal(Preface.Undecided, PrefaceJudge.Judge(new ReadOnlySequence<byte>(first, 0, first, cut)));
            Piece last = first.Append(head.AsMemory(cut));
            Assert.Equal(Preface.Http1, PrefaceJudge.Judge(new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length)));
        }
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> bytes) => Memory = bytes;

        public Piece Append(ReadOnlyMemory<byte> bytes)
        {
            var next = new Piece(bytes) { RunningIndex = RunningIndex + Memory.Length };
            Next = next;
            return next;
        }
    }
}
