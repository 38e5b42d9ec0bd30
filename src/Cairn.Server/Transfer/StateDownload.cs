using System.Buffers;
using Cairn.Protocol;
using Cairn.Protocol.Transfer;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.State;
using Cairn.State.Transfer;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Transfer;

/// <summary>Puts the chunks of one state together, in their order; its rows go to segments beside those of the node.</summary>
/// <remarks>One user. Whatever a sender may send: what is not the state that its head describes is refused, and says why.</remarks>
/// <param name="world">What the member touches.</param>
/// <param name="view">What the member had when it began; null if it has nothing that counts.</param>
/// <param name="reserveIds">Sets numbers of segments aside, given how many; returns the first.</param>
internal sealed class StateDownload(NodeWorld world, ReadView? view, Func<uint, Task<uint>> reserveIds)
{
    private readonly ArrayBufferWriter<byte> _smallState = new();
    private readonly List<Revision> _kept = [];
    private SnapshotMetadata _metadata = SnapshotMetadata.Empty;
    private RevisionLog? _rows;
    private RevisionLogEnds? _ends;
    private Revision _last;
    private long _rowCount;
    private uint _checksum;

    /// <summary>Number of the session; 0 before the first chunk.</summary>
    public ulong Session { get; private set; }

    /// <summary>The chunk that comes next.</summary>
    public uint Next { get; private set; }

    /// <summary>What the state is; null before the first chunk.</summary>
    public StateHead? Head { get; private set; }

    /// <summary>Bytes of chunks taken so far.</summary>
    public long BytesTaken { get; private set; }

    /// <summary>Rows taken so far.</summary>
    public long RowCount => _rowCount;

    /// <summary>Whether the last chunk was taken.</summary>
    public bool IsComplete => _ends is not null;

    /// <summary>What was received, once it is complete.</summary>
    public ReceivedState Received => IsComplete && Head is not null
        ? new ReceivedState(_metadata, new StateDelta
        {
            Applied = new AppliedPosition(Head.Index, Head.Term),
            SmallState = _smallState.WrittenMemory,
            BaseRevision = Head.BaseRevision,
            Kept = Head.HasKept ? _kept : null,
            IsWhole = Head.IsWhole,
            Segments = _ends!, // Complete says that it is there.
        }, _rowCount)
        : throw Invariant.Unreachable("not complete");

    /// <summary>Takes a chunk.</summary>
    /// <param name="bytes">Encoded <see cref="StateChunk"/>.</param>
    /// <returns>Completes when its rows are in the files, if not synced.</returns>
    /// <exception cref="TransferException">It is not the chunk that comes next.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public async ValueTask TakeAsync(ReadOnlyMemory<byte> bytes)
    {
        var content = Open(bytes);
        if (content.Head is not null)
        {
            await BeginAsync(content.Head);
        }
        else if (Head is null)
        {
            throw new TransferException("the first chunk has no head");
        }

        _smallState.Write(content.SmallState.Span);
        TakeKept(content.Kept);
        if (content.Rows.Count > 0)
        {
            TakeRows(content.Rows);
            await Rows.FlushAsync();
        }

        BytesTaken += bytes.Length;
        Next++;
        if (content.End is not null)
        {
            await FinishAsync(content.End);
        }
    }

    /// <summary>Drops what was received.</summary>
    public void Abandon()
    {
        var ends = _ends ?? _rows?.Capture() ?? RevisionLogEnds.Empty;
        _rows?.Dispose();
        _rows = null;
        ReceivedState.DropRows(world, ends);
    }

    private RevisionLog Rows => _rows ?? throw Invariant.Unreachable("no head was taken");

    private StateContent Open(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            var chunk = StateChunk.Parser.ParseGuarded(bytes.Span);
            if (chunk.Sequence != Next || chunk.Session == 0 || (Session != 0 && chunk.Session != Session))
            {
                throw new TransferException($"chunk {chunk.Sequence} of session {chunk.Session:x} came where chunk {Next} of session {Session:x} was due");
            }

            var checksum = Checksum.Continue(_checksum, chunk.Content.Span);
            if (checksum != chunk.Checksum)
            {
                throw new TransferException($"chunk {Next} has checksum {checksum:x8}, expected {chunk.Checksum:x8}");
            }

            var content = StateContent.Parser.ParseGuarded(chunk.Content.Span);
            (_checksum, Session) = (checksum, chunk.Session);
            return content;
        }
        catch (Google.Protobuf.InvalidProtocolBufferException)
        {
            throw new TransferException($"chunk {Next} does not parse");
        }
    }

    private async ValueTask BeginAsync(StateHead head)
    {
        if (Head is not null || !ConfStateWire.TryRead(head.ConfState.Memory, out var configuration) || head.Index == 0 || head.Term == 0
            || head.RowCount < 0 || head.RowBytes < 0)
        {
            throw new TransferException($"chunk {Next} has a head that makes no sense there");
        }

        if (!Fits(head))
        {
            throw new TransferException(
                $"a state of index {head.Index}, revision {head.Revision}, on {head.BaseRevision} does not fit index {view?.Applied.Index ?? 0}, revision {view?.Revision ?? 0}");
        }

        _rows = await ReceivedState.BeginRowsAsync(world, reserveIds, head.RowBytes, head.RowCount);
        _last = new Revision(head.BaseRevision, int.MaxValue);
        _metadata = new SnapshotMetadata(configuration, head.Index, head.Term);
        Head = head;
    }

    private bool Fits(StateHead head) => view is null
        ? head is { BaseRevision: 0, HasKept: false }
        : head.BaseRevision <= view.Revision && head.Revision >= view.Revision && head.Index > view.Applied.Index && !(head.IsWhole && head.HasKept);

    private void TakeKept(Google.Protobuf.Collections.RepeatedField<ulong> numbers)
    {
        long main = 0;
        for (var i = 0; i + 1 < numbers.Count; i += 2)
        {
            main += (long)numbers[i];
            var revision = new Revision(main, (int)numbers[i + 1]);
            if (_kept.Count > 0 && revision <= _kept[^1])
            {
                throw new TransferException($"the kept row {revision} comes after {_kept[^1]}");
            }

            _kept.Add(revision);
        }
    }

    private void TakeRows(IEnumerable<StateRow> rows)
    {
        foreach (var row in rows)
        {
            var revision = new Revision(row.Main, row.Sub);
            if (revision <= _last || row.Sub < 0 || row.Main > Head!.Revision || ++_rowCount > Head.RowCount || !StateDelta.IsRow(row.Payload.Span)) // A head was taken.
            {
                throw new TransferException($"the row {revision} after {_last} is none of this state");
            }

            Rows.Append(row.IsDeletion ? RecordKind.Tombstone : RecordKind.Put, revision, row.Payload.Span);
            _last = revision;
        }
    }

    private async ValueTask FinishAsync(StateEnd end)
    {
        if (end.RowCount != _rowCount || end.KeptCount != _kept.Count || Head!.RowCount != _rowCount) // A head was taken.
        {
            throw new TransferException($"{_rowCount} rows and {_kept.Count} kept ones came, and the end speaks of {end.RowCount} and {end.KeptCount}");
        }

        if (!StateDelta.TryDescribe(_smallState.WrittenSpan, out var applied, out var revision)
            || applied != new AppliedPosition(Head.Index, Head.Term) || revision != Head.Revision)
        {
            throw new TransferException("the small state is not that of the head");
        }

        if (Head.HasKept && !StateDelta.IsIn(view!, _kept)) // Who has nothing takes no head that keeps something.
        {
            throw new OtherHistoryException();
        }

        var ends = Rows.Capture();
        await Rows.SyncAsync(ends);
        Rows.Dispose();
        _ends = ends;
    }
}

/// <summary>What was received is not the state that was asked for.</summary>
/// <param name="reason">Why, as a clause.</param>
internal class TransferException(string reason) : Exception(reason);

/// <summary>Rows that should be here are not: what this member has must be replaced as a whole.</summary>
internal sealed class OtherHistoryException() : TransferException("rows that are to be kept are not here");
