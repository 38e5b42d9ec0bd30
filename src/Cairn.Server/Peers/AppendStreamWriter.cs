using System.Buffers;
using System.Buffers.Binary;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Server.Peers;

/// <summary>Writes what <see cref="AppendStreamReader"/> reads, and like it belongs to one connection.</summary>
public sealed class AppendStreamWriter
{
    private ulong _term;
    private ulong _index;

    /// <summary>Appends the frame that only says that the link is alive.</summary>
    /// <param name="output">Where to.</param>
    public static void WriteHeartbeat(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        WriteByte(0, output);
    }

    /// <summary>Appends one append.</summary>
    /// <param name="message">A message of type Append.</param>
    /// <param name="output">Where to.</param>
    public void Write(Message message, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(output);
        Invariant.Holds(message.Type == MessageType.App);
        if (message.Index == _index && message.LogTerm == _term && message.Term == _term)
        {
            WriteContinuation(message, output);
            return;
        }

        WriteByte(2, output);
        WriteNumber((ulong)MessageWire.Size(message), output);
        MessageWire.Write(message, output);
        _term = message.Term;
        _index = message.Entries.IsEmpty ? message.Index : message.Entries.Span[^1].Index;
    }

    private void WriteContinuation(Message message, IBufferWriter<byte> output)
    {
        WriteByte(1, output);
        WriteNumber((ulong)message.Entries.Length, output);
        foreach (ref readonly var entry in message.Entries.Span)
        {
            Invariant.Holds(entry.Index == _index + 1);
            WriteNumber((ulong)EntryWire.Size(entry), output);
            EntryWire.Write(entry, output);
            _index++;
        }

        WriteNumber(message.Commit, output);
    }

    private static void WriteByte(byte value, IBufferWriter<byte> output)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    private static void WriteNumber(ulong value, IBufferWriter<byte> output)
    {
        BinaryPrimitives.WriteUInt64BigEndian(output.GetSpan(sizeof(ulong)), value);
        output.Advance(sizeof(ulong));
    }
}
