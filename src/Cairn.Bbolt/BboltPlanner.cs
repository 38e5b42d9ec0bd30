namespace Cairn.Bbolt;

/// <summary>Lays out a <see cref="BboltImage"/>, some rows at a time, for callers that have other things to do in between. One user at a time.</summary>
public sealed class BboltPlanner : IDisposable
{
    private readonly IReadOnlyList<BboltBucketContent> _buckets;
    private readonly int _pageSize;
    private readonly List<PlannedBucket> _planned;
    private BucketMeasure? _open;
    private BboltImage? _image;

    /// <summary>Starts before the first row.</summary>
    /// <param name="buckets">The buckets, in ascending order of their names.</param>
    /// <param name="pageSize">Bytes a page: a power of two from 512 to 65536.</param>
    /// <exception cref="ArgumentException">The page size is none, or the buckets are not in order.</exception>
    public BboltPlanner(IReadOnlyList<BboltBucketContent> buckets, int pageSize = 4096)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        if (!PageFormat.IsPageSize(pageSize))
        {
            throw new ArgumentException($"{pageSize} is not a power of two from {PageFormat.PageSizeMin} to {PageFormat.PageSizeMax}", nameof(pageSize));
        }

        for (var i = 1; i < buckets.Count; i++)
        {
            if (buckets[i - 1].Name.Span.SequenceCompareTo(buckets[i].Name.Span) >= 0)
            {
                throw new ArgumentException("the buckets are not in ascending order of their names", nameof(buckets));
            }
        }

        _buckets = buckets;
        _pageSize = pageSize;
        _planned = new List<PlannedBucket>(buckets.Count);
    }

    /// <summary>The image; there when <see cref="Step"/> returned false.</summary>
    public BboltImage Image => _image ?? throw Invariant.Unreachable("asked for an image before its last row was seen");

    /// <summary>Goes on.</summary>
    /// <param name="budget">Most rows to look at, at least 1.</param>
    /// <returns>True if there is more to do.</returns>
    public bool Step(int budget)
    {
        Invariant.Holds(budget > 0);
        while (_image is null)
        {
            if (_planned.Count == _buckets.Count)
            {
                _image = BboltImage.Of(_planned, _pageSize);
                break;
            }

            _open ??= new BucketMeasure(_buckets[_planned.Count], _pageSize, _planned.Count == 0 ? PageFormat.FirstDataPage : _planned[^1].NextPage);
            if (!_open.Take(ref budget))
            {
                return true;
            }

            _planned.Add(_open.Complete());
            _open.Dispose();
            _open = null;
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _open?.Dispose();

    /// <summary>Runs through the rows of one bucket for their sizes.</summary>
    private sealed class BucketMeasure(BboltBucketContent content, int pageSize, ulong firstPage) : IDisposable
    {
        private readonly TreeShape _shape = new(pageSize, firstPage);
        private readonly KeyOrder _order = new();
        private readonly IBboltRows _rows = content.OpenRows();
        private long _bytes = PageFormat.HeaderBytes;

        /// <summary>Takes rows while there is budget.</summary>
        /// <returns>Whether all were taken.</returns>
        public bool Take(ref int budget)
        {
            for (; budget > 0; budget--)
            {
                if (!_rows.MoveNext())
                {
                    return true;
                }

                _order.Require(_rows.Key);
                _shape.AddRow(_rows.Key.Length, _rows.ValueLength);
                _bytes += PageFormat.ElementBytes + _rows.Key.Length + (long)_rows.ValueLength;
            }

            return false;
        }

        public PlannedBucket Complete() => _bytes <= pageSize / PageFormat.InlinePageFraction
            ? new PlannedBucket(content, RootPage: 0, firstPage, (int)_bytes)
            : new PlannedBucket(content, _shape.Complete()[^1].Page, _shape.NextPage, InlineBytes: 0);

        public void Dispose() => _rows.Dispose();
    }
}
