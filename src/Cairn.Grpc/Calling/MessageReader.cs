using System.Buffers;
using Google.Protobuf;

namespace Cairn.Grpc.Calling;

/// <summary>Reads the messages of an answer one by one. One reader at a time.</summary>
internal sealed class MessageReader : IDisposable
{
    // Most answers fit; a longer one grows the buffer to its size.
    private const int FirstBufferBytes = 4096;

    private readonly Stream _stream;
    private readonly uint _messageBytesMax;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
    private int _start;
    private int _end;

    /// <summary>Reads from a stream, which stays the caller's.</summary>
    /// <param name="stream">The content of a response.</param>
    /// <param name="messageBytesMax">The longest message that is accepted.</param>
    public MessageReader(Stream stream, int messageBytesMax)
    {
        _stream = stream;
        _messageBytesMax = (uint)messageBytesMax;
    }

    /// <summary>Reads the next message.</summary>
    /// <typeparam name="T">The message.</typeparam>
    /// <param name="parser">Its parser.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>The message, or null at the end of the answer.</returns>
    /// <exception cref="GrpcException">The answer breaks the protocol.</exception>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancelled)
        where T : class, IMessage<T>
    {
        while (true)
        {
            if (TryTake(parser, out T? message))
            {
                return message;
            }

            MakeRoom();
            int count = await _stream.ReadAsync(_buffer.AsMemory(_end), cancelled).ConfigureAwait(false);
            if (count == 0)
            {
                return _start == _end ? null : throw Broken("the answer ended within a message");
            }

            _end += count;
        }
    }

    /// <summary>Gives the buffer back.</summary>
    public void Dispose()
    {
        byte[] buffer = _buffer;
        _buffer = [];
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static GrpcException Broken(string how) => new(new GrpcStatus(GrpcStatusCode.Internal, how));

    private bool TryTake<T>(MessageParser<T> parser, out T? message)
        where T : class, IMessage<T>
    {
        message = null;
        var bytes = new ReadOnlySequence<byte>(_buffer, _start, _end - _start);
        FrameOutcome outcome = Framing.TryRead(ref bytes, _messageBytesMax, out FrameHead head, out ReadOnlySequence<byte> content);
        switch (outcome)
        {
            case FrameOutcome.Incomplete:
                return false;
            case FrameOutcome.TooLarge:
                throw new GrpcException(new GrpcStatus(
                    GrpcStatusCode.ResourceExhausted,
                    $"received message larger than max ({head.Length} vs. {_messageBytesMax})"));
            case FrameOutcome.BadFlag:
                throw Broken("the answer has a frame of unknown kind");
            case FrameOutcome.Complete when head.Compressed:
                throw Broken("the answer is compressed although no compression was offered");
            default:
                break;
        }

        try
        {
            message = parser.ParseFrom(content.FirstSpan);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            throw new GrpcException(new GrpcStatus(GrpcStatusCode.Internal, "the answer is not the expected message"), inner: e);
        }

        _start = _end - (int)bytes.Length;
        return true;
    }

    private void MakeRoom()
    {
        int length = _end - _start;
        int wanted = length >= Framing.HeadBytes ? Framing.HeadBytes + AnnouncedLength() : 0;
        if (wanted > _buffer.Length || length == _buffer.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, _buffer.Length + 1));
            _buffer.AsSpan(_start, length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        else if (_start > 0)
        {
            _buffer.AsSpan(_start, length).CopyTo(_buffer);
        }

        (_start, _end) = (0, length);
    }

    // Checked against the maximum by TryTake before; what fits an int with its head fits an array.
    private int AnnouncedLength() =>
        (int)Math.Min(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(_start + 1)), (uint)(Array.MaxLength - Framing.HeadBytes));
}
