namespace Cairn.Server.Loops;

/// <summary>A bounded queue into a loop: many post, the loop takes all that has gathered at once.</summary>
/// <typeparam name="T">What is posted.</typeparam>
/// <remarks>A channel would hand over one item a call; a loop that works in batches wants one lock a batch.</remarks>
internal sealed class Inbox<T>
{
    private readonly Lock _lock = new();
    private readonly AsyncSignal _wake;
    private readonly int _capacity;
    private List<T> _items = [];
    private bool _closed;

    /// <summary>Creates an empty queue.</summary>
    /// <param name="capacity">Most items that wait, at least 1.</param>
    /// <param name="wake">The loop's signal.</param>
    public Inbox(int capacity, AsyncSignal wake)
    {
        Invariant.Holds(capacity > 0);
        _capacity = capacity;
        _wake = wake;
    }

    /// <summary>Items that wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _items.Count;
            }
        }
    }

    /// <summary>Posts an item and wakes the loop.</summary>
    /// <param name="item">What to post.</param>
    /// <returns>False when the queue is full or closed: the item was not taken.</returns>
    public bool TryPost(T item)
    {
        if (!TryAdd(item))
        {
            return false;
        }

        _wake.Set();
        return true;
    }

    /// <summary>Posts an item as the end of what runs here, and runs the loop's turn on this thread if it sleeps.</summary>
    /// <param name="item">What to post.</param>
    /// <returns>False when the queue is full or closed: the item was not taken.</returns>
    public bool TryPostAndRun(T item)
    {
        if (!TryAdd(item))
        {
            return false;
        }

        _wake.SetAndRun();
        return true;
    }

    /// <summary>Posts an item, and wakes the loop when the loop that runs here sleeps.</summary>
    /// <param name="item">What to post.</param>
    /// <returns>False when the queue is full or closed: the item was not taken.</returns>
    public bool TryPostAfterTurn(T item)
    {
        if (!TryAdd(item))
        {
            return false;
        }

        _wake.SetAfterTurn();
        return true;
    }

    private bool TryAdd(T item)
    {
        lock (_lock)
        {
            if (_closed || _items.Count >= _capacity)
            {
                return false;
            }

            _items.Add(item);
            return true;
        }
    }

    /// <summary>Takes everything that has gathered. The loop only.</summary>
    /// <param name="batch">An empty list in, the gathered items out; the queue keeps the empty one.</param>
    /// <returns>Whether there was anything.</returns>
    public bool Drain(ref List<T> batch)
    {
        Invariant.Holds(batch.Count == 0);
        lock (_lock)
        {
            if (_items.Count == 0)
            {
                return false;
            }

            (_items, batch) = (batch, _items);
            return true;
        }
    }

    /// <summary>Refuses everything from now on. What has gathered can still be taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }
}
