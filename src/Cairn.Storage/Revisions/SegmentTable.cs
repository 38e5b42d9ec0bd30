namespace Cairn.Storage.Revisions;

/// <summary>The segments that count, what they hold together, and the view of them that readers get.</summary>
/// <remarks>Owned by the appender; the sums and the view may be read from any thread.</remarks>
internal sealed class SegmentTable
{
    private readonly SortedList<uint, SegmentAccount> _accounts = [];
    private volatile RevisionLogView _view = new([]);
    private long _totalBytes;
    private long _liveBytes;

    /// <summary>The segments as they were shown last.</summary>
    public RevisionLogView View => _view;

    /// <summary>Bytes of all segments.</summary>
    public long TotalBytes => Volatile.Read(ref _totalBytes);

    /// <summary>Bytes of records that the index needs.</summary>
    public long LiveBytes => Volatile.Read(ref _liveBytes);

    /// <summary>The segments by ascending number.</summary>
    public IList<SegmentAccount> All => _accounts.Values;

    /// <summary>A segment that must be there.</summary>
    /// <param name="id">Its number.</param>
    public SegmentAccount this[uint id] => _accounts[id];

    /// <summary>Looks a segment up.</summary>
    /// <param name="id">Its number.</param>
    /// <returns>Null if there is none.</returns>
    public SegmentAccount? Find(uint id) => _accounts.GetValueOrDefault(id);

    /// <summary>Adds a segment.</summary>
    /// <param name="account">A new one.</param>
    public void Add(SegmentAccount account)
    {
        account.AssertInvariants();
        _accounts.Add(account.Segment.Id, account);
        Volatile.Write(ref _totalBytes, _totalBytes + account.End);
        Volatile.Write(ref _liveBytes, _liveBytes + account.LiveBytes);
    }

    /// <summary>Removes a segment.</summary>
    /// <param name="account">One that is there.</param>
    public void Remove(SegmentAccount account)
    {
        _accounts.Remove(account.Segment.Id);
        Volatile.Write(ref _totalBytes, _totalBytes - account.End);
        Volatile.Write(ref _liveBytes, _liveBytes - account.LiveBytes);
    }

    /// <summary>Notes that more of a segment counts.</summary>
    /// <param name="account">The segment.</param>
    /// <param name="end">Its new end.</param>
    public void SetEnd(SegmentAccount account, long end)
    {
        Invariant.Holds(end >= account.End);
        Volatile.Write(ref _totalBytes, _totalBytes + end - account.End);
        account.End = end;
    }

    /// <summary>Notes that more, or less, of a segment is needed.</summary>
    /// <param name="account">The segment.</param>
    /// <param name="bytes">The difference.</param>
    public void Count(SegmentAccount account, long bytes)
    {
        account.LiveBytes += bytes;
        account.AssertInvariants();
        Volatile.Write(ref _liveBytes, _liveBytes + bytes);
    }

    /// <summary>Makes the segments of now those that readers get.</summary>
    public void Show() => _view = new RevisionLogView(_accounts.Values.Select(static account => account.Segment));

    /// <summary>Checks what must always hold; walks over all segments.</summary>
    public void AssertInvariants()
    {
        foreach (var account in _accounts.Values)
        {
            account.AssertInvariants();
        }

        Invariant.Holds(_totalBytes == _accounts.Values.Sum(static account => account.End));
        Invariant.Holds(_liveBytes == _accounts.Values.Sum(static account => account.LiveBytes));
    }
}
