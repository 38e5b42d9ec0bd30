using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Security.Cryptography;

namespace Cairn.Host.Listening;

/// <summary>
/// What a client of HTTP/2 says before the web server is given its connection. The web server sets up a good deal for each, so one that says no more than the beginning of a call must not
/// reach it. It is given a connection when its first request is whole as far as gRPC can tell (the first message of a call, or the end of its stream); when the client, with no call under
/// way, has answered a ping, so that it is alive and opened the connection ahead of use; and when it says what only the web server can answer.
/// </summary>
/// <remarks>
/// Nothing is consumed: the web server reads all of it again, and greets once more. It says the same settings, which clients acknowledge twice, and passes over the acknowledgements that it
/// did not ask for. Owned by its connection; not thread-safe. Source: RFC 9113, 4 to 6.
/// </remarks>
internal sealed class Http2Opening
{
    private const int OpeningBytes = 24;
    private const int FrameHeadBytes = 9;
    private const int MessageHeadBytes = 5;
    private const int PingBytes = 8;
    private const int SettingBytes = 6;

    // A client may send frames of this size before it is told of another; the web server refuses larger ones.
    private const int FrameBytesMax = 16 * 1024;

    // A client may send 65535 bytes of data before the web server widens the window; not all use the last of it.
    private const int DataBytesMax = 63 * 1024;

    // A window of data, and a head of the size that the web server takes, fit well. Who sends more without a whole request sends nothing that is worth a wait.
    private const int BytesMax = 128 * 1024;

    private const byte Acknowledges = 0x1;
    private const byte EndsStream = 0x1;
    private const byte EndsHead = 0x4;
    private const byte IsPadded = 0x8;

    private readonly byte[] _ping = RandomNumberGenerator.GetBytes(PingBytes);
    private long _judged = OpeningBytes;
    private bool _isFirst = true;
    private bool _isReady;
    private bool _passesAnsweringPing;
    private int _stream;
    private bool _isInHead;
    private bool _endsAfterHead;
    private int _dataBytes;
    private ulong _messageHead;
    private long _messageBytes;

    private enum Frame : byte
    {
        Data = 0,
        Headers = 1,
        Priority = 2,
        ResetStream = 3,
        Settings = 4,
        Ping = 6,
        WindowUpdate = 8,
        Continuation = 9,
    }

    /// <summary>Whether it has brought a whole request, or is alive with none under way: it does not keep the server waiting.</summary>
    public bool MayRest { get; private set; }

    /// <summary>The settings that a server says first, as a frame.</summary>
    /// <param name="values">Numbers of settings and their values.</param>
    public static byte[] Settings(params ReadOnlySpan<(int Number, int Value)> values)
    {
        byte[] frame = new byte[FrameHeadBytes + (values.Length * SettingBytes)];
        WriteHead(frame, values.Length * SettingBytes, Frame.Settings);
        for (int i = 0; i < values.Length; i++)
        {
            Span<byte> setting = frame.AsSpan(FrameHeadBytes + (i * SettingBytes), SettingBytes);
            BinaryPrimitives.WriteUInt16BigEndian(setting, (ushort)values[i].Number); // The largest is 16.
            BinaryPrimitives.WriteInt32BigEndian(setting[sizeof(ushort)..], values[i].Value);
        }

        return frame;
    }

    /// <summary>Says the settings, for which some clients wait before they begin a call, and asks whether the client is alive.</summary>
    public async Task GreetAsync(PipeWriter output, ReadOnlyMemory<byte> settings, CancellationToken cancelled)
    {
        output.Write(settings.Span);
        WritePing(output);
        await output.FlushAsync(cancelled);
    }

    /// <summary>Asks once more; if the client answers, the web server gets the connection with whatever is under way.</summary>
    public async Task AskAgainAsync(PipeWriter output, CancellationToken cancelled)
    {
        _passesAnsweringPing = true;
        WritePing(output);
        await output.FlushAsync(cancelled);
    }

    /// <summary>Judges by what has arrived so far, from the first byte of the connection on; goes on where it stopped before.</summary>
    /// <returns>HTTP/2 when the web server is to have the connection; undecided before.</returns>
    public Preface Judge(ReadOnlySequence<byte> bytes)
    {
        Span<byte> head = stackalloc byte[FrameHeadBytes];
        ReadOnlySequence<byte> rest = bytes.Slice(_judged);
        while (!_isReady && rest.Length >= FrameHeadBytes)
        {
            rest.Slice(0, FrameHeadBytes).CopyTo(head);
            int length = (head[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(head[1..]);
            if (length <= FrameBytesMax && rest.Length < FrameHeadBytes + length)
            {
                break;
            }

            var (kind, flags, stream) = ((Frame)head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head[5..]) & int.MaxValue);
            _isReady = length > FrameBytesMax || !TryTake(kind, flags, stream, rest.Slice(FrameHeadBytes, length));
            rest = _isReady ? rest : rest.Slice(FrameHeadBytes + length);
        }

        _judged = bytes.Length - rest.Length;
        return _isReady || bytes.Length > BytesMax ? Preface.Http2 : Preface.Undecided;
    }

    /// <summary>Takes note of a frame.</summary>
    /// <returns>Whether more must come before the web server is to have the connection.</returns>
    private bool TryTake(Frame kind, byte flags, int stream, ReadOnlySequence<byte> payload)
    {
        bool isOutOfOrder = (_isFirst && kind != Frame.Settings) || _isInHead != (kind == Frame.Continuation) || (_isInHead && stream != _stream);
        _isFirst = false;
        if (isOutOfOrder)
        {
            return false;
        }

        switch (kind)
        {
            case Frame.Settings:
                return payload.Length % SettingBytes == 0;
            case Frame.Priority or Frame.WindowUpdate:
                return true;
            case Frame.Ping:
                return (flags & Acknowledges) != 0 && !IsAlive(payload);
            case Frame.ResetStream:
                // A call that was taken back before its message is none.
                _stream = stream == _stream ? 0 : _stream;
                return true;
            case Frame.Headers:
                (_stream, _endsAfterHead, _messageHead, _messageBytes) = (stream, (flags & EndsStream) != 0, 0, 0);
                return TakesHead(flags);
            case Frame.Continuation:
                return TakesHead(flags);
            case Frame.Data:
                // Of several calls only the last is followed; the others must not wait for it.
                return stream == _stream && !IsWhole(flags, payload);
            default:
                return false;
        }
    }

    private bool IsAlive(ReadOnlySequence<byte> answer)
    {
        if (answer.Length != PingBytes || !answer.ToArray().AsSpan().SequenceEqual(_ping))
        {
            return false;
        }

        MayRest = _stream == 0;
        return MayRest || _passesAnsweringPing;
    }

    private bool TakesHead(byte flags)
    {
        _isInHead = (flags & EndsHead) == 0;
        MayRest = !_isInHead && _endsAfterHead;
        return !MayRest;
    }

    private bool IsWhole(byte flags, ReadOnlySequence<byte> payload)
    {
        _dataBytes += (int)payload.Length; // At most a frame.
        if ((flags & IsPadded) != 0)
        {
            int padding = payload.IsEmpty ? int.MaxValue : payload.FirstSpan[0];
            if (padding >= payload.Length)
            {
                return true;
            }

            payload = payload.Slice(1, payload.Length - 1 - padding);
        }

        MayRest = (flags & EndsStream) != 0 || IsMessageWhole(payload);
        return MayRest || _dataBytes > DataBytesMax;
    }

    /// <summary>Whether the first message is whole, or is none of gRPC's: what else is sent has its own rules.</summary>
    private bool IsMessageWhole(ReadOnlySequence<byte> payload)
    {
        for (int i = 0; _messageBytes + i < MessageHeadBytes && i < payload.Length; i++)
        {
            _messageHead = (_messageHead << 8) | payload.Slice(i).FirstSpan[0];
        }

        _messageBytes += payload.Length;
        return _messageBytes >= MessageHeadBytes && (_messageHead >> 32 > 1 || _messageBytes >= MessageHeadBytes + (uint)_messageHead);
    }

    private void WritePing(PipeWriter output)
    {
        Span<byte> frame = output.GetSpan(FrameHeadBytes + PingBytes);
        WriteHead(frame, PingBytes, Frame.Ping);
        _ping.CopyTo(frame[FrameHeadBytes..]);
        output.Advance(FrameHeadBytes + PingBytes);
    }

    private static void WriteHead(Span<byte> frame, int length, Frame kind)
    {
        frame[..FrameHeadBytes].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(frame[1..], (ushort)length); // Far below 64 KiB.
        frame[3] = (byte)kind;
    }
}
