namespace Cairn.Bbolt;

/// <summary>Walks the rows of a bucket in the order of their keys, with one page in memory a level.</summary>
/// <remarks>
/// Owned by its creator; not thread-safe, but any number of cursors may walk one file at once if its source allows it. Keys and values are spans into the
/// cursor's own buffer and valid until it moves. Whatever is handed out was verified first: the order of keys holds over the whole walk.
/// </remarks>
public sealed class BboltCursor
{
    private readonly BboltBucket _bucket;
    private readonly TreePath _path;
    private State _state;
    private BboltFinding _damage;

    internal BboltCursor(BboltBucket bucket, LeafContent content)
    {
        _bucket = bucket;
        _path = new TreePath(bucket.Source, content);
    }

    private enum State
    {
        BeforeFirst,
        OnRow,
        BehindLast,
        Damaged,
    }

    /// <summary>The key of the row the cursor stands on; valid until it moves.</summary>
    public ReadOnlySpan<byte> Key
    {
        get
        {
            Invariant.Holds(_state == State.OnRow);
            return _path.Top.Key(_path.Index);
        }
    }

    /// <summary>The value of the row the cursor stands on; valid until it moves.</summary>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            Invariant.Holds(_state == State.OnRow);
            return _path.Top.Value(_path.Index);
        }
    }

    /// <summary>Byte offset in the file of the key the cursor stands on; its value follows directly. For messages about the row.</summary>
    public long Offset
    {
        get
        {
            Invariant.Holds(_state == State.OnRow);
            return _path.Top.KeyOffset(_path.Index);
        }
    }

    /// <summary>Moves to the next row, at first to the first one.</summary>
    /// <returns>False behind the last row.</returns>
    /// <exception cref="BboltCorruptionException">The file is damaged where the cursor had to read; every further move throws the same.</exception>
    public bool MoveNext()
    {
        switch (_state)
        {
            case State.BeforeFirst:
                Start();
                return Settle();
            case State.OnRow:
                _path.Index++;
                return Settle();
            case State.Damaged:
                throw new BboltCorruptionException(_damage);
            default:
                return false;
        }
    }

    /// <summary>Moves to the first row whose key is not below <paramref name="key"/>; <see cref="MoveNext"/> goes on from there.</summary>
    /// <param name="key">Any bytes.</param>
    /// <returns>False if every key is below.</returns>
    /// <exception cref="BboltCorruptionException">The file is damaged where the cursor had to read.</exception>
    public bool Seek(ReadOnlySpan<byte> key)
    {
        Start();
        while (!_path.Top.IsLeaf)
        {
            var at = _path.Top.FirstAtLeast(key);
            var isSeparator = at < _path.Top.Count && _path.Top.Key(at).SequenceEqual(key);
            _path.Index = isSeparator || at == 0 ? at : at - 1;
            Require(_path.Descend());
        }

        _path.Index = _path.Top.FirstAtLeast(key);
        return Settle();
    }

    private void Start() => Require(_bucket.Start(_path));

    /// <summary>From a place that may be behind the end of its page, finds the row that is next.</summary>
    private bool Settle()
    {
        while (_path.Index >= _path.Top.Count)
        {
            _path.Ascend();
            if (_path.Depth == 0)
            {
                _state = State.BehindLast;
                return false;
            }

            _path.Index++;
        }

        while (!_path.Top.IsLeaf)
        {
            Require(_path.Descend());
        }

        _state = State.OnRow;
        return true;
    }

    private void Require(BboltFinding? finding)
    {
        if (finding is { } damage)
        {
            _state = State.Damaged;
            _damage = damage;
            throw new BboltCorruptionException(damage);
        }
    }
}
