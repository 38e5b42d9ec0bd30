using System.Buffers;
using Cairn.Protocol.Transfer;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.State.Persistence;
using Cairn.State.Transfer;
using Cairn.Storage.Revisions;
using Google.Protobuf;

namespace Cairn.Server.Transfer;

/// <summary>One state on its way to one receiver, cut into chunks. One user at a time.</summary>
/// <remarks>
/// The chunk given last is kept, so that an answer that was lost can be given again. Chunks take turns in two buffers: large ones are not left to the collector,
/// whose pauses clients would notice. Who still sends the chunk before the last sends it to nobody.
/// </remarks>
internal sealed class SendSession
{
    // Wire type of protobuf's bytes.
    private const int LengthDelimited = 2;

    private readonly StateCapture _capture;
    private readonly StateSource _source;
    private readonly IEnumerator<StateContent> _contents;
    private readonly int _chunkBytes;
    private ArrayBufferWriter<byte> _last = new();
    private ArrayBufferWriter<byte> _other = new();
    private uint _next;
    private uint _checksum;

    /// <summary>Starts before the first chunk.</summary>
    /// <param name="id">Its number, not 0.</param>
    /// <param name="capture">The state, but for the rows.</param>
    /// <param name="source">What the receiver lacks of the rows.</param>
    /// <param name="isWhole">Whether the receiver must forget what it has.</param>
    /// <param name="chunkBytes">Bytes of a chunk's content, about.</param>
    public SendSession(ulong id, StateCapture capture, StateSource source, bool isWhole, int chunkBytes)
    {
        Id = id;
        IsWhole = isWhole;
        _capture = capture;
        _source = source;
        _chunkBytes = chunkBytes;
        _contents = Cut().GetEnumerator();
    }

    /// <summary>Its number.</summary>
    public ulong Id { get; }

    /// <summary>Whether the receiver must forget what it has.</summary>
    public bool IsWhole { get; }

    /// <summary>Index of the state.</summary>
    public ulong Index => _capture.Applied.Index;

    /// <summary>What the rows are above of.</summary>
    public long BaseRevision => _source.BaseRevision;

    /// <summary>Bytes given, each chunk once.</summary>
    public long BytesGiven { get; private set; }

    /// <summary>Rows to be given in all.</summary>
    public long RowCount => _source.RowCount;

    /// <summary>Gives a chunk.</summary>
    /// <param name="sequence">Which: the next, or the last again.</param>
    /// <param name="chunk">Encoded <see cref="StateChunk"/>.</param>
    /// <returns>False if there is no such chunk, or not any more.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public bool TryGive(uint sequence, out ReadOnlyMemory<byte> chunk)
    {
        chunk = _last.WrittenMemory;
        if (sequence + 1 == _next)
        {
            return true;
        }

        if (sequence != _next || !_contents.MoveNext())
        {
            return false;
        }

        (_last, _other) = (_other, _last);
        Write(sequence, _contents.Current);
        _next = sequence + 1;
        BytesGiven += _last.WrittenCount;
        chunk = _last.WrittenMemory;
        return true;
    }

    /// <summary>Writes a <see cref="StateChunk"/> whose content is not copied once more: fields may come in pieces, which are read as one message.</summary>
    private void Write(uint sequence, StateContent content)
    {
        _last.ResetWrittenCount();
        new StateChunk { Session = Id, Sequence = sequence }.WriteTo(_last);
        var length = content.CalculateSize();
        WriteVarint((StateChunk.ContentFieldNumber << 3) | LengthDelimited);
        WriteVarint((uint)length);
        content.WriteTo(_last);
        _checksum = Checksum.Continue(_checksum, _last.WrittenSpan[^length..]);
        new StateChunk { Checksum = _checksum }.WriteTo(_last);
    }

    private void WriteVarint(uint value)
    {
        var span = _last.GetSpan(5);
        var count = 0;
        for (; value >= 0x80; value >>= 7)
        {
            span[count++] = (byte)(value | 0x80);
        }

        span[count++] = (byte)value;
        _last.Advance(count);
    }

    private IEnumerable<StateContent> Cut()
    {
        yield return new StateContent { Head = DescribeHead() };
        for (var at = 0; at < _capture.SmallState.Length; at += _chunkBytes)
        {
            var piece = _capture.SmallState.Span.Slice(at, Math.Min(_chunkBytes, _capture.SmallState.Length - at));
            yield return new StateContent { SmallState = ByteString.CopyFrom(piece) };
        }

        for (var at = 0; at < _source.Kept.Count;)
        {
            yield return CutKept(ref at);
        }

        while (_source.MoveNext())
        {
            yield return CutRows();
        }

        yield return new StateContent { End = new StateEnd { RowCount = _source.RowCount, KeptCount = _source.Kept.Count } };
    }

    private StateHead DescribeHead()
    {
        var members = _capture.Members;
        var state = new ConfState { Voters = [.. members.Voters.Order()], Learners = [.. members.Learners.Order()] };
        var bytes = new byte[ConfStateWire.Size(state)];
        ConfStateWire.Write(state, bytes);
        return new StateHead
        {
            Index = _capture.Applied.Index,
            Term = _capture.Applied.Term,
            ConfState = UnsafeByteOperations.UnsafeWrap(bytes),
            Revision = _capture.Revision,
            BaseRevision = _source.BaseRevision,
            IsWhole = IsWhole,
            HasKept = _source.IsCompactedBeyondBase,
            RowCount = _source.RowCount,
            RowBytes = _source.RowBytes,
        };
    }

    private StateContent CutKept(ref int at)
    {
        // A pair of numbers takes two bytes where many rows are kept, since then they lie close together.
        var content = new StateContent();
        var end = Math.Min(_source.Kept.Count, at + Math.Max(_chunkBytes / 4, 1));
        for (long previous = 0; at < end; at++)
        {
            var revision = _source.Kept[at];
            content.Kept.Add((ulong)(revision.Main - previous));
            content.Kept.Add((ulong)revision.Sub);
            previous = revision.Main;
        }

        return content;
    }

    /// <summary>Takes the row at hand and those after it, until the chunk is full.</summary>
    private StateContent CutRows()
    {
        var content = new StateContent();
        var bytes = 0;
        do
        {
            content.Rows.Add(new StateRow
            {
                Main = _source.Revision.Main,
                Sub = _source.Revision.Sub,
                IsDeletion = _source.Kind == RecordKind.Tombstone,
                Payload = ByteString.CopyFrom(_source.Payload),
            });
            bytes += _source.Payload.Length;
        }
        while (bytes < _chunkBytes && _source.MoveNext());

        return content;
    }
}
