using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Cairn.Bench.Http2;

/// <summary>An HTTP/2 connection for one thread that makes many gRPC calls at once and spends next to nothing on each.</summary>
/// <remarks>
/// A load tool that shares two cores with the server it measures must be cheap: here all replies of one read are handled, the requests that follow
/// from them are put into one buffer, and one write sends them. Reads block, so the connection has a thread of its own, and no scheduler between
/// the socket and the measurement. Owned by that thread; not thread-safe. Source: RFC 9113, and gRPC over HTTP/2 (PROTOCOL-HTTP2.md).
/// </remarks>
internal sealed class LoadConnection : IDisposable
{
    // What we let the peer send before we say more: as much as the protocol allows, so that it never waits for us.
    private const int ReceiveWindow = int.MaxValue;

    // Say more after this many bytes: rarely, yet long before the window closes.
    private const int WindowRenewalBytes = 1 << 24;

    private const int DefaultWindow = 65535;
    private const int MessagePrefixBytes = 5;
    private const int ReadBytes = 256 * 1024;

    private readonly Socket _socket;
    private readonly ILoadSink _sink;
    private readonly HeaderBlockWriter _requestHeaders;
    private readonly HeaderBlockReader _responseHeaders = new();
    private readonly Dictionary<int, LoadCall> _calls = [];
    private readonly Stack<LoadCall> _idle = [];
    private readonly Queue<LoadCall> _blocked = [];
    private readonly ByteQueue _in = new();
    private readonly ByteQueue _out = new();
    private readonly ByteQueue _headerBlock = new();
    private FrameHeader _headersOpen;
    private long _sendWindow = DefaultWindow;
    private long _consumed;
    private long _initialWindow = DefaultWindow;
    private int _frameBytesMax = 16384;
    private long _callsMax = long.MaxValue;
    private int _nextStream = 1;
    private bool _settled;

    private LoadConnection(Socket socket, string authority, ILoadSink sink)
    {
        _socket = socket;
        _sink = sink;
        _requestHeaders = new HeaderBlockWriter(authority);
    }

    /// <summary>Calls that have not ended.</summary>
    public int OpenCalls => _calls.Count;

    /// <summary>Connects, and waits for the peer's settings.</summary>
    /// <param name="endPoint">Where to connect.</param>
    /// <param name="sink">Who gets what comes back.</param>
    /// <returns>The open connection.</returns>
    public static LoadConnection Open(IPEndPoint endPoint, ILoadSink sink)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.Connect(endPoint);
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }

        var connection = new LoadConnection(socket, endPoint.ToString(), sink);
        connection.SendPreface();
        while (!connection._settled)
        {
            connection.Receive();
        }

        connection.Flush();
        return connection;
    }

    /// <summary>Starts a call with its first message. Nothing is sent before <see cref="Flush"/>.</summary>
    /// <param name="path">Path of the method.</param>
    /// <param name="tag">Given back with every event of the call.</param>
    /// <param name="message">The message.</param>
    /// <param name="isLast">Whether no other message follows.</param>
    /// <returns>The call.</returns>
    /// <exception cref="IOException">The server's limit of concurrent streams is reached.</exception>
    public LoadCall Start(string path, int tag, ReadOnlySpan<byte> message, bool isLast)
    {
        if (_calls.Count >= _callsMax)
        {
            throw new IOException($"the server allows {_callsMax} concurrent streams on a connection: use more connections (--conns)");
        }

        var call = _idle.TryPop(out var used) ? used : new LoadCall();
        call.Reset(_nextStream, tag, _initialWindow);
        _nextStream += 2;
        _calls.Add(call.StreamId, call);
        var block = _requestHeaders.Next(path);
        WriteFrame(FrameType.Headers, FrameFlags.EndHeaders, call.StreamId, block);
        Send(call, message, isLast);
        return call;
    }

    /// <summary>Sends one more message of a call. Nothing is sent before <see cref="Flush"/>.</summary>
    /// <param name="call">An open call.</param>
    /// <param name="message">The message.</param>
    /// <param name="isLast">Whether no other message follows.</param>
    public void Send(LoadCall call, ReadOnlySpan<byte> message, bool isLast)
    {
        var wire = MessagePrefixBytes + message.Length;
        call.SendsEnd = isLast;
        if (call.Unsent.Length == 0 && _blocked.Count == 0 && wire <= _frameBytesMax && wire <= Math.Min(_sendWindow, call.SendWindow))
        {
            var target = _out.Reserve(FrameHeader.Bytes + wire);
            new FrameHeader(wire, FrameType.Data, isLast ? FrameFlags.EndStreamOrAcknowledge : FrameFlags.None, call.StreamId).Write(target);
            WritePrefix(target[FrameHeader.Bytes..], message.Length);
            message.CopyTo(target[(FrameHeader.Bytes + MessagePrefixBytes)..]);
            _out.Advance(FrameHeader.Bytes + wire);
            _sendWindow -= wire;
            call.SendWindow -= wire;
            return;
        }

        if (call.Unsent.Length == 0)
        {
            _blocked.Enqueue(call);
        }

        Span<byte> prefix = stackalloc byte[MessagePrefixBytes];
        WritePrefix(prefix, message.Length);
        call.Unsent.Append(prefix);
        call.Unsent.Append(message);
        SendBlocked();
    }

    /// <summary>Abandons a call; its end is not reported.</summary>
    /// <param name="call">An open call.</param>
    public void Cancel(LoadCall call)
    {
        Span<byte> code = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(code, 8);
        WriteFrame(FrameType.ResetStream, FrameFlags.None, call.StreamId, code);
        Release(call);
    }

    /// <summary>Writes all that waits to the socket.</summary>
    public void Flush()
    {
        while (_out.Length > 0)
        {
            _out.Consume(_socket.Send(_out.Written));
        }
    }

    /// <summary>Waits until there is something to receive.</summary>
    /// <param name="timeout">How long at most.</param>
    /// <returns>Whether there is something.</returns>
    public bool WaitReadable(TimeSpan timeout) => Native.WaitReadable(_socket.Handle, timeout);

    /// <summary>Waits for bytes, and hands all whole frames among them to the sink.</summary>
    /// <exception cref="IOException">The peer closed the connection or broke the protocol.</exception>
    public void Receive()
    {
        var count = _socket.Receive(_in.Reserve(ReadBytes)[..ReadBytes]);
        if (count == 0)
        {
            throw new IOException("the server closed the connection");
        }

        _in.Advance(count);
        while (_in.Length >= FrameHeader.Bytes)
        {
            var header = FrameHeader.Read(_in.Written);
            if (_in.Length < FrameHeader.Bytes + header.Length)
            {
                break;
            }

            Handle(header, _in.Written.Slice(FrameHeader.Bytes, header.Length));
            _in.Consume(FrameHeader.Bytes + header.Length);
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => _socket.Dispose();

    private static void WritePrefix(Span<byte> target, int length)
    {
        target[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(target[1..], length);
    }

    private void SendPreface()
    {
        _out.Append("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Span<byte> settings = stackalloc byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(settings, (ushort)Setting.EnablePush);
        BinaryPrimitives.WriteUInt16BigEndian(settings[6..], (ushort)Setting.InitialWindow);
        BinaryPrimitives.WriteInt32BigEndian(settings[8..], ReceiveWindow);
        WriteFrame(FrameType.Settings, FrameFlags.None, 0, settings);
        WriteWindowUpdate(0, ReceiveWindow - DefaultWindow);
        Flush();
    }

    private void Handle(FrameHeader header, ReadOnlySpan<byte> payload)
    {
        switch (header.Type)
        {
            case FrameType.Data:
                HandleData(header, payload);
                break;
            case FrameType.Headers:
                _headersOpen = header;
                _headerBlock.Clear();
                _headerBlock.Append(WithoutPadding(header, payload));
                HandleHeadersIfWhole(header);
                break;
            case FrameType.Continuation:
                _headerBlock.Append(payload);
                HandleHeadersIfWhole(header);
                break;
            case FrameType.ResetStream when _calls.TryGetValue(header.StreamId, out var call):
                End(call, 14, $"stream reset, error code {BinaryPrimitives.ReadInt32BigEndian(payload)}");
                break;
            case FrameType.Settings when (header.Flags & FrameFlags.EndStreamOrAcknowledge) == 0:
                HandleSettings(payload);
                break;
            case FrameType.Ping when (header.Flags & FrameFlags.EndStreamOrAcknowledge) == 0:
                WriteFrame(FrameType.Ping, FrameFlags.EndStreamOrAcknowledge, 0, payload);
                break;
            case FrameType.GoAway:
                throw new IOException($"the server ended the connection, error code {BinaryPrimitives.ReadInt32BigEndian(payload[4..])}");
            case FrameType.WindowUpdate:
                HandleWindowUpdate(header.StreamId, BinaryPrimitives.ReadInt32BigEndian(payload));
                break;
            default:
                break;
        }
    }

    private void HandleData(FrameHeader header, ReadOnlySpan<byte> payload)
    {
        _consumed += payload.Length;
        if (_consumed >= WindowRenewalBytes)
        {
            WriteWindowUpdate(0, (int)_consumed);
            _consumed = 0;
        }

        if (!_calls.TryGetValue(header.StreamId, out var call))
        {
            return;
        }

        call.Consumed += payload.Length;
        if (call.Consumed >= WindowRenewalBytes)
        {
            WriteWindowUpdate(call.StreamId, (int)call.Consumed);
            call.Consumed = 0;
        }

        HandleMessages(call, WithoutPadding(header, payload));
        if ((header.Flags & FrameFlags.EndStreamOrAcknowledge) != 0)
        {
            End(call, 13, "the stream ended without a status");
        }
    }

    private void HandleMessages(LoadCall call, ReadOnlySpan<byte> bytes)
    {
        if (call.Partial.Length > 0)
        {
            call.Partial.Append(bytes);
            var taken = HandleWholeMessages(call, call.Partial.Written);
            call.Partial.Consume(taken);
            return;
        }

        var consumed = HandleWholeMessages(call, bytes);
        if (consumed < bytes.Length)
        {
            call.Partial.Append(bytes[consumed..]);
        }
    }

    private int HandleWholeMessages(LoadCall call, ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (bytes.Length - at >= MessagePrefixBytes)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(bytes[(at + 1)..]);
            if (bytes.Length - at - MessagePrefixBytes < length)
            {
                break;
            }

            _sink.OnMessage(this, call, bytes.Slice(at + MessagePrefixBytes, length));
            at += MessagePrefixBytes + length;
        }

        return at;
    }

    private void HandleHeadersIfWhole(FrameHeader last)
    {
        if ((last.Flags & FrameFlags.EndHeaders) == 0)
        {
            return;
        }

        var verdict = _responseHeaders.Read(_headerBlock.Written);
        if ((_headersOpen.Flags & FrameFlags.EndStreamOrAcknowledge) == 0 || !_calls.TryGetValue(_headersOpen.StreamId, out var call))
        {
            return;
        }

        var status = verdict.GrpcStatus >= 0 ? verdict.GrpcStatus : 2;
        End(call, status, verdict.GrpcStatus >= 0 ? verdict.GrpcMessage : $"no gRPC status, HTTP status {verdict.HttpStatus}");
    }

    private void HandleSettings(ReadOnlySpan<byte> payload)
    {
        for (; payload.Length >= 6; payload = payload[6..])
        {
            var value = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            switch ((Setting)BinaryPrimitives.ReadUInt16BigEndian(payload))
            {
                case Setting.HeaderTableSize:
                    _requestHeaders.MayIndex = value >= 4096;
                    break;
                case Setting.ConcurrentStreams:
                    _callsMax = value;
                    break;
                case Setting.InitialWindow:
                    foreach (var call in _calls.Values)
                    {
                        call.SendWindow += value - _initialWindow;
                    }

                    _initialWindow = value;
                    break;
                case Setting.FrameBytes:
                    _frameBytesMax = (int)value;
                    break;
                default:
                    break;
            }
        }

        _settled = true;
        WriteFrame(FrameType.Settings, FrameFlags.EndStreamOrAcknowledge, 0, []);
        SendBlocked();
    }

    private void HandleWindowUpdate(int streamId, int increment)
    {
        if (streamId == 0)
        {
            _sendWindow += increment;
        }
        else if (_calls.TryGetValue(streamId, out var call))
        {
            call.SendWindow += increment;
        }

        SendBlocked();
    }

    // In the order of their start: a call whose own window is closed holds up the others, which no gRPC server lets happen for unary calls.
    private void SendBlocked()
    {
        while (_blocked.TryPeek(out var call))
        {
            while (call.Unsent.Length > 0)
            {
                var length = (int)Math.Min(Math.Min(call.Unsent.Length, _frameBytesMax), Math.Min(_sendWindow, call.SendWindow));
                if (length <= 0)
                {
                    return;
                }

                var flags = call.SendsEnd && length == call.Unsent.Length ? FrameFlags.EndStreamOrAcknowledge : FrameFlags.None;
                WriteFrame(FrameType.Data, flags, call.StreamId, call.Unsent.Written[..length]);
                call.Unsent.Consume(length);
                _sendWindow -= length;
                call.SendWindow -= length;
            }

            _blocked.Dequeue();
        }
    }

    private void End(LoadCall call, int status, string detail)
    {
        _calls.Remove(call.StreamId);
        _sink.OnEnd(this, call, status, detail);
        Release(call);
    }

    private void Release(LoadCall call)
    {
        _calls.Remove(call.StreamId);
        call.Unsent.Clear();
        _idle.Push(call);
    }

    private void WriteWindowUpdate(int streamId, int increment)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, increment);
        WriteFrame(FrameType.WindowUpdate, FrameFlags.None, streamId, payload);
    }

    private void WriteFrame(FrameType type, FrameFlags flags, int streamId, ReadOnlySpan<byte> payload)
    {
        var target = _out.Reserve(FrameHeader.Bytes + payload.Length);
        new FrameHeader(payload.Length, type, flags, streamId).Write(target);
        payload.CopyTo(target[FrameHeader.Bytes..]);
        _out.Advance(FrameHeader.Bytes + payload.Length);
    }

    private static ReadOnlySpan<byte> WithoutPadding(FrameHeader header, ReadOnlySpan<byte> payload)
    {
        if ((header.Flags & FrameFlags.Padded) != 0)
        {
            payload = payload[1..^payload[0]];
        }

        return header.Type == FrameType.Headers && (header.Flags & FrameFlags.Priority) != 0 ? payload[5..] : payload;
    }

    private enum Setting : ushort
    {
        HeaderTableSize = 1,
        EnablePush = 2,
        ConcurrentStreams = 3,
        InitialWindow = 4,
        FrameBytes = 5,
    }
}
