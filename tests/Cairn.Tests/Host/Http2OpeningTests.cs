using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Cairn.Host.Listening;
using Cairn.Tests.Server.Simulated;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class Http2OpeningTests
{
    private const string Settings = "000000 04 00 00000000";
    private const string Acknowledgement = "000000 04 01 00000000";
    private const string Head = "000001 01 04 00000001 83";

    private static readonly byte[] Greeting = Http2Opening.Settings((3, 100), (4, 65_536));

    // Frames after the preface, as hexadecimal digits; whether the web server gets them with the last byte, and whether the client then needs no place.
    [Theory]
    [InlineData("", false, false)]
    [InlineData(Settings, false, false)]
    [InlineData(Settings + Acknowledgement + "000004 08 00 00000000 00010000" + "000005 02 00 00000003 0000000010", false, false)]
    [InlineData(Settings + Head, false, false)]
    [InlineData(Settings + Head + "000005 00 00 00000001 0000000400", false, false)] // The head of a message of four bytes, and one of them too few.
    [InlineData(Settings + Head + "000005 00 00 00000001 0000000400" + "000003 00 00 00000001 010203", false, false)]
    [InlineData(Settings + Head + "000005 00 00 00000001 0000000004" + "000004 00 00 00000001 01020304", true, true)]
    [InlineData(Settings + Head + "000003 00 00 00000001 000000" + "000003 00 00 00000001 000155", true, true)]
    [InlineData(Settings + Head + "000005 00 00 00000001 0100000000", true, true)] // Compressed, and nothing.
    [InlineData(Settings + Head + "000009 00 08 00000001 03 0000000000 000000", true, true)] // Padded.
    [InlineData(Settings + Head + "000009 00 08 00000001 03 0000000002 000000", false, false)]
    [InlineData(Settings + Head + "000001 00 08 00000001 03", true, false)] // Padding beyond the frame.
    [InlineData(Settings + Head + "000000 00 01 00000001", true, true)]
    [InlineData(Settings + Head + "000006 00 00 00000001 7b2261223a31", true, true)] // JSON.
    [InlineData(Settings + "000001 01 05 00000001 83", true, true)]
    [InlineData(Settings + "000001 01 01 00000001 83", false, false)]
    [InlineData(Settings + "000001 01 01 00000001 83" + "000001 09 00 00000001 86", false, false)]
    [InlineData(Settings + "000001 01 01 00000001 83" + "000001 09 04 00000001 86", true, true)]
    [InlineData(Settings + "000001 01 00 00000001 83" + "000001 09 04 00000001 86" + "000005 00 00 00000001 0000000000", true, true)]
    [InlineData(Settings + "000001 01 00 00000001 83" + Acknowledgement, true, false)] // Nothing may come between the parts of a head.
    [InlineData(Settings + "000001 01 00 00000001 83" + "000001 09 04 00000003 86", true, false)]
    [InlineData(Settings + "000001 09 04 00000001 86", true, false)]
    [InlineData(Settings + Head + "000004 03 00 00000001 00000008", false, false)] // Taken back.
    [InlineData(Settings + Head + "000001 01 04 00000003 83" + "000005 00 00 00000003 0000000000", true, true)]
    [InlineData(Settings + Head + "000001 01 04 00000003 83" + "000005 00 00 00000001 0000000000", true, false)] // The older of two calls.
    [InlineData(Settings + "000005 00 00 00000001 0000000000", true, false)]
    [InlineData(Settings + "000008 06 00 00000000 0102030405060708", true, false)] // A ping asks for an answer.
    [InlineData(Settings + "000008 07 00 00000000 0000000000000000", true, false)]
    [InlineData(Head, true, false)]
    [InlineData("000005 04 00 00000000 0000000000", true, false)]
    [InlineData(Settings + "004001 00 00 00000001", true, false)] // Longer than a frame may be: refused before the rest comes.
    public void The_web_server_gets_a_client_with_a_whole_request_or_one_whom_only_it_can_answer(string frames, bool isReady, bool mayRest)
    {
        byte[] bytes = Bytes(frames);
        var atOnce = new Http2Opening();
        Assert.Equal((isReady ? Preface.Http2 : Preface.Undecided, mayRest), (atOnce.Judge(new ReadOnlySequence<byte>(bytes)), atOnce.MayRest));

        var trickling = new Http2Opening();
        for (int length = Bytes("").Length; length < bytes.Length; length++)
        {
            Assert.Equal(Preface.Undecided, trickling.Judge(new ReadOnlySequence<byte>(bytes, 0, length)));
        }

        Assert.Equal((isReady ? Preface.Http2 : Preface.Undecided, mayRest), (trickling.Judge(new ReadOnlySequence<byte>(bytes)), trickling.MayRest));
    }

    [Theory]
    [InlineData(60_000, false)]
    [InlineData(65_535, true)] // All that may come before the web server widens the window.
    public void A_message_that_does_not_fit_the_first_window_is_left_to_the_web_server(int bytes, bool isReady)
    {
        var data = new StringBuilder();
        for (int left = bytes; left > 0; left -= 16_384)
        {
            int length = Math.Min(left, 16_384);
            data.Append(CultureInfo.InvariantCulture, $"{length:x6} 00 00 00000001 00 7fffffff").Append(new string('0', 2 * (length - 5)));
        }

        var opening = new Http2Opening();

        Assert.Equal(isReady ? Preface.Http2 : Preface.Undecided, opening.Judge(new ReadOnlySequence<byte>(Bytes(Settings + Head + data))));
        Assert.False(opening.MayRest);
    }

    [Fact]
    public void Who_never_comes_to_a_request_is_left_to_the_web_server_before_it_holds_much()
    {
        byte[] flood = Bytes(Settings + string.Concat(Enumerable.Repeat(Settings, 15_000)));
        var opening = new Http2Opening();

        Assert.Equal(Preface.Undecided, opening.Judge(new ReadOnlySequence<byte>(flood, 0, 100_000)));
        Assert.Equal(Preface.Http2, opening.Judge(new ReadOnlySequence<byte>(flood)));
        Assert.False(opening.MayRest);
    }

    [Fact]
    public async Task A_client_without_a_call_is_handed_over_once_it_has_answered_the_ping()
    {
        using var port = new PortOnPipes();
        await port.SayAsync(Bytes(Settings));
        byte[] greeting = await port.HearAsync();
        Assert.Equal(Greeting, greeting[..Greeting.Length]);

        await port.SayAsync(Bytes(Acknowledgement)[24..]);
        await port.SayAsync(Answer([.. greeting[..^1], (byte)~greeting[^1]]));
        Assert.Equal(1, port.Newcomers.Count);
        await port.SayAsync(Answer(greeting));

        Assert.Same(port.Connection, await port.Accepted());
        Assert.Equal(0, port.Newcomers.Count);
        Assert.True(port.Connection.Transport.Input.TryRead(out ReadResult read));
        Assert.Equal(24 + 9 + 9 + 17 + 17, read.Buffer.Length);
    }

    [Fact]
    public async Task A_call_whose_message_does_not_come_holds_a_place_and_no_more_until_it_does()
    {
        using var port = new PortOnPipes();
        await port.SayAsync(Bytes(Settings + Head + "000005 00 00 00000001 0000000001"));
        await port.SayAsync(Answer(await port.HearAsync()));
        Assert.Equal((1, 24 + 9 + 10 + 14 + 17), (port.Newcomers.Count, port.Newcomers.HeldBytes));

        await port.SayAsync(Bytes("000001 00 00 00000001 07")[24..]);

        Assert.Same(port.Connection, await port.Accepted());
        Assert.Equal((0, 0), (port.Newcomers.Count, port.Newcomers.HeldBytes));
    }

    [Fact]
    public async Task A_client_that_lives_is_handed_over_with_a_call_that_waits_and_keeps_its_place()
    {
        using var port = new PortOnPipes();
        await port.SayAsync(Bytes(Settings + Head));
        byte[] greeting = await port.HearAsync();
        await port.SayAsync(Answer(greeting));

        port.Time.FireNext();
        byte[] again = await port.HearAsync();
        Assert.Equal(greeting[Greeting.Length..], again);
        await port.SayAsync(Answer(again));

        Assert.Same(port.Connection, await port.Accepted());
        Assert.Equal((1, 0), (port.Newcomers.Count, port.Newcomers.HeldBytes));
        Assert.True(port.Connection.Transport.Input.TryRead(out ReadResult read));
        Assert.Equal(24 + 9 + 10 + 17 + 17, read.Buffer.Length);
    }

    [Fact]
    public async Task A_client_that_falls_silent_after_the_preface_is_closed()
    {
        using var port = new PortOnPipes();
        await port.SayAsync(Bytes(Settings));

        port.Time.FireNext();
        Assert.Equal(1, port.Newcomers.Count);
        port.Time.FireNext();

        Assert.Equal(0, port.Newcomers.Count);
        Assert.True(port.Connection.ConnectionClosed.IsCancellationRequested);
    }

    [Fact]
    public async Task A_client_that_goes_before_its_request_is_whole_does_not_reach_the_web_server()
    {
        using var port = new PortOnPipes();
        await port.SayAsync(Bytes(Settings + Head));

        await port.LeaveAsync();

        Assert.Equal(0, port.Newcomers.Count);
        Assert.True(port.Connection.ConnectionClosed.IsCancellationRequested);
    }

    private static byte[] Bytes(string frames) => [.. Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), .. Convert.FromHexString(frames.Replace(" ", "", StringComparison.Ordinal))];

    /// <summary>The answer to the ping at the end of what the server said.</summary>
    private static byte[] Answer(byte[] said) => [0, 0, 8, 6, 1, 0, 0, 0, 0, .. said[^8..]];

    /// <summary>A port with one connection, whose pipes go on at once where a byte comes.</summary>
    private sealed class PortOnPipes : IConnectionListenerFactory, IConnectionListener, IDuplexPipe, IDisposable
    {
        private static readonly PipeOptions AtOnce = new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);

        private readonly Pipe _fromClient = new(AtOnce);
        private readonly Pipe _toClient = new(AtOnce);
        private readonly TaskCompletionSource<ConnectionContext?> _noOtherConnection = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly IConnectionListener _half;
        private bool _wasAccepted;

        public PortOnPipes()
        {
            Connection = new Closable { Transport = this, RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 1) };
            var port = new SharedPort(EndPoint, this, Time, Newcomers) { Greeting = Greeting };
            port.AllowPlain();
            _half = port.BindAsync(Preface.Http2, TestContext.Current.CancellationToken).AsTask().GetAwaiter().GetResult(); // Done already: nothing of it waits.
        }

        public SimulatedTime Time { get; } = new();

        public Newcomers Newcomers { get; } = new(static (_, _) => { });

        public DefaultConnectionContext Connection { get; }

        public EndPoint EndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 1);

        public PipeReader Input => _fromClient.Reader;

        public PipeWriter Output => _toClient.Writer;

        public async Task SayAsync(byte[] bytes) => await _fromClient.Writer.WriteAsync(bytes, TestContext.Current.CancellationToken);

        public async Task LeaveAsync() => await _fromClient.Writer.CompleteAsync(new ConnectionResetException("The client is gone."));

        public async Task<byte[]> HearAsync()
        {
            ReadResult read = await _toClient.Reader.ReadAsync(TestContext.Current.CancellationToken);
            byte[] said = read.Buffer.ToArray();
            _toClient.Reader.AdvanceTo(read.Buffer.End);
            return said;
        }

        public Task<ConnectionContext?> Accepted() => _half.AcceptAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            bool isFirst = !_wasAccepted;
            _wasAccepted = true;
            return isFirst ? new(Connection) : new(_noOtherConnection.Task);
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => default;

        public ValueTask DisposeAsync() => default;

        public void Dispose() => _noOtherConnection.TrySetResult(null);
    }

    private sealed class Closable : DefaultConnectionContext
    {
        private readonly CancellationTokenSource _closed = new();

        public Closable() => ConnectionClosed = _closed.Token;

        public override void Abort(ConnectionAbortedException abortReason) => _closed.Cancel();
    }
}
