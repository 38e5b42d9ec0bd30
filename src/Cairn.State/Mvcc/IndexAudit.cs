using System.Globalization;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>Holds all rows of a store against its index: each row above the compaction must be in the index as it is, and each that the index names must be there.</summary>
/// <remarks>
/// Rows up to the compaction that the index does not name are no finding: the cleaner has not come to them, and of a key that is gone it may have dropped the
/// tombstone before the rows. Memory: the index itself. One user at a time, any thread.
/// </remarks>
public sealed class IndexAudit
{
    // One wrong rule is wrong in every row; the first few say which.
    private const int FindingsMax = 10;

    private readonly KeySpaceView _keys;
    private readonly ReadView _view;
    private readonly RevisionLogReader _rows;
    private readonly List<string> _findings = [];
    private long _named;

    /// <summary>Starts before the first row.</summary>
    /// <param name="view">The state.</param>
    public IndexAudit(ReadView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        _view = view;
        _keys = view.Keys;
        _rows = _keys.Log.ReadFrom(new Revision(0, 0), _keys.Revision);
    }

    /// <summary>Rows that were read so far.</summary>
    public long Rows { get; private set; }

    /// <summary>Bytes in them.</summary>
    public long Bytes { get; private set; }

    /// <summary>What is wrong; the first few.</summary>
    public IReadOnlyList<string> Findings => _findings;

    /// <summary>Goes on.</summary>
    /// <param name="budget">Most rows to look at, at least 1.</param>
    /// <returns>True if there is more to do.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    public bool Step(int budget)
    {
        Invariant.Holds(budget > 0);
        for (; budget > 0; budget--)
        {
            if (!_rows.MoveNext())
            {
                FindMissing();
                return false;
            }

            Rows++;
            Bytes += _rows.Payload.Length;
            TakeRow();
        }

        return true;
    }

    private void TakeRow()
    {
        var revision = _rows.Revision;
        if (!RowCodec.TryDecode(_rows.Payload, out var fields, out var key, out _))
        {
            Find($"revision {revision} in segment {_rows.Place.Segment} at {_rows.Place.Offset}: the payload is no row");
            return;
        }

        var history = KeyIndex.Find(_keys.Root, key);
        var position = history?.PositionOf(revision) ?? -1;
        if (history is null || position < 0)
        {
            if (revision.Main > _keys.CompactedRevision)
            {
                Find($"revision {revision} in segment {_rows.Place.Segment} at {_rows.Place.Offset} is not in the index");
            }

            return;
        }

        _named++;
        var version = history[position];
        if (version.Place != _rows.Place && !_keys.ReadRow(version).AsSpan().SequenceEqual(_rows.Payload))
        {
            Find($"revision {revision}: the index names another row, in segment {version.Place.Segment} at {version.Place.Offset}");
        }

        Compare(history, position, fields);
    }

    /// <summary>Compares what the index knows beside the place with what the row says.</summary>
    private void Compare(KeyHistory history, int position, RowFields fields)
    {
        var version = history[position];
        if (version.IsTombstone != (_rows.Kind == RecordKind.Tombstone)
            || (!version.IsTombstone && history.NumbersAt(position) != new RecordNumbers(fields.CreateRevision, fields.Version)))
        {
            Find($"revision {version.Revision}: the index says {history.NumbersAt(position)}, the row {new RecordNumbers(fields.CreateRevision, fields.Version)}");
        }

        if (position == history.Count - 1 && _view.Leases.LeaseOf(history.Key) != fields.Lease)
        {
            Find($"revision {version.Revision}: the row is attached to lease {fields.Lease}, the lease table says {_view.Leases.LeaseOf(history.Key)}");
        }
    }

    /// <summary>Names the rows of the index that were not met.</summary>
    private void FindMissing()
    {
        long versions = 0;
        for (var cursor = new IndexCursor(_keys.Root, default, default); cursor.MoveNext();)
        {
            versions += cursor.Current.Count;
        }

        if (versions == _named)
        {
            return;
        }

        Find($"the index names {versions} rows, of which {versions - _named} are in no segment");
        for (var cursor = new IndexCursor(_keys.Root, default, default); cursor.MoveNext() && _findings.Count < FindingsMax;)
        {
            FindMissing(cursor.Current);
        }
    }

    private void FindMissing(KeyHistory history)
    {
        for (var i = 0; i < history.Count; i++)
        {
            try
            {
                _ = _keys.ReadRow(history[i]);
            }
            catch (CorruptionException damage)
            {
                Find($"revision {history[i].Revision}: {damage.Message}");
            }
        }
    }

    private void Find(FormattableString finding)
    {
        if (_findings.Count < FindingsMax)
        {
            _findings.Add(finding.ToString(CultureInfo.InvariantCulture));
        }
    }
}
