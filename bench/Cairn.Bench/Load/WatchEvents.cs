namespace Cairn.Bench.Load;

/// <summary>Reads of a WatchResponse what a load tool needs, without building objects: a fan-out makes a million events a second.</summary>
/// <remarks>Source: the messages WatchResponse, Event and KeyValue in Cairn.Protocol, and the wire format of protobuf.</remarks>
internal static class WatchEvents
{
    private const uint CreatedTag = (3 << 3) | 0;
    private const uint CanceledTag = (4 << 3) | 0;
    private const uint EventTag = (11 << 3) | 2;
    private const uint EventKvTag = (2 << 3) | 2;
    private const uint KvValueTag = (5 << 3) | 2;

    /// <summary>Reads a response.</summary>
    /// <param name="message">An encoded WatchResponse.</param>
    /// <param name="onStamp">Gets the time that each event's value begins with; null does not look at values.</param>
    /// <returns>What it says.</returns>
    public static Summary Read(ReadOnlySpan<byte> message, Action<long>? onStamp)
    {
        var summary = default(Summary);
        while (TryRead(ref message, out var tag, out var number, out var content))
        {
            switch (tag)
            {
                case CreatedTag:
                    summary.Created = number != 0;
                    break;
                case CanceledTag:
                    summary.Canceled = number != 0;
                    break;
                case EventTag:
                    summary.Events++;
                    var value = onStamp is null ? default : Field(Field(content, EventKvTag), KvValueTag);
                    if (value.Length >= sizeof(long))
                    {
                        onStamp!(BitConverter.ToInt64(value)); // Values are only looked at when there is somebody to tell.
                    }

                    break;
                default:
                    break;
            }
        }

        return summary;
    }

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> message, uint wanted)
    {
        while (TryRead(ref message, out var tag, out _, out var content))
        {
            if (tag == wanted)
            {
                return content;
            }
        }

        return default;
    }

    private static bool TryRead(scoped ref ReadOnlySpan<byte> message, out uint tag, out ulong number, out ReadOnlySpan<byte> content)
    {
        tag = 0;
        number = 0;
        content = default;
        if (message.IsEmpty)
        {
            return false;
        }

        tag = (uint)ReadVarint(ref message);
        number = ReadVarint(ref message);
        if ((tag & 7) == 2)
        {
            content = message[..(int)number];
            message = message[(int)number..];
        }

        return true;
    }

    private static ulong ReadVarint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var octet = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(octet & 0x7f) << shift;
            if ((octet & 0x80) == 0)
            {
                return value;
            }
        }
    }

    /// <summary>What a response says.</summary>
    public struct Summary
    {
        /// <summary>Whether it answers the creation of a watcher.</summary>
        public bool Created;

        /// <summary>Whether it ends a watcher.</summary>
        public bool Canceled;

        /// <summary>Number of events.</summary>
        public int Events;
    }
}
