using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Host.Proxy;

/// <summary>Answers to reads, given again to serializable ones until a write through this proxy touches what was read. Any thread.</summary>
/// <remarks>
/// A read that is under way while a write is must not leave behind what it saw before the write: so every read is announced, a write spoils those that it
/// touches when it begins and when it has ended, and what is spoilt is not kept. Writes by other ways are not seen: serializable reads promise no more than some past.
/// Source: etcd server/proxy/grpcproxy/cache/store.go.
/// </remarks>
internal sealed class RangeCache
{
    // As in etcd.
    private const int EntriesMax = 2048;

    // A proxy is a small process beside many others; what is larger than this in sum is read again.
    private const long BytesMax = 64 << 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<ByteString, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = new();
    private readonly HashSet<Fill> _fills = [];
    private long _bytes;
    private long _hits;
    private long _misses;

    /// <summary>Reads that were answered from here.</summary>
    public long Hits => Volatile.Read(ref _hits);

    /// <summary>Serializable reads that were not.</summary>
    public long Misses => Volatile.Read(ref _misses);

    /// <summary>Answers that are kept.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Looks for the answer to a serializable read.</summary>
    /// <param name="request">The read.</param>
    /// <returns>The answer, which must not be changed; null if there is none.</returns>
    public RangeResponse? Find(RangeRequest request)
    {
        ByteString name = NameOf(request);
        lock (_lock)
        {
            if (!_entries.TryGetValue(name, out LinkedListNode<Entry>? node))
            {
                _misses++;
                return null;
            }

            _byUse.Remove(node);
            _byUse.AddFirst(node);
            _hits++;
            return node.Value.Answer;
        }
    }

    /// <summary>Announces a read.</summary>
    /// <param name="request">The read.</param>
    /// <returns>What to end it with.</returns>
    public Fill Begin(RangeRequest request)
    {
        var fill = new Fill(NameOf(request), request.Revision, new Span(request.Key, request.RangeEnd));
        lock (_lock)
        {
            _fills.Add(fill);
        }

        return fill;
    }

    /// <summary>Keeps what a read found, unless a write touched it meanwhile.</summary>
    /// <param name="fill">The read.</param>
    /// <param name="answer">What it found; null if nothing.</param>
    public void End(Fill fill, RangeResponse? answer)
    {
        lock (_lock)
        {
            _fills.Remove(fill);
            if (answer is null || fill.IsSpoilt)
            {
                return;
            }

            Remove_NeedsLock(fill.Name);
            var entry = new Entry(fill.Name, fill.Revision, fill.Span, answer, fill.Name.Length + answer.CalculateSize());
            _entries.Add(entry.Name, _byUse.AddFirst(entry));
            _bytes += entry.Bytes;
            while (_entries.Count > EntriesMax || _bytes > BytesMax)
            {
                Remove_NeedsLock(_byUse.Last!.Value.Name); // There is at least the one that was added.
            }
        }
    }

    /// <summary>Forgets what a write touches, of reads under way too. What was read at a revision stays: it never changes.</summary>
    /// <param name="key">First key.</param>
    /// <param name="end">End of the range; empty for one key.</param>
    public void Spoil(ByteString key, ByteString end)
    {
        var touched = new Span(key, end);
        lock (_lock)
        {
            foreach (Entry entry in _byUse.Where(entry => entry.Revision == 0 && entry.Span.Meets(touched)).ToArray())
            {
                Remove_NeedsLock(entry.Name);
            }

            foreach (Fill fill in _fills.Where(fill => fill.Revision == 0 && fill.Span.Meets(touched)))
            {
                fill.IsSpoilt = true;
            }
        }
    }

    /// <summary>Forgets what was read at revisions that are compacted now.</summary>
    /// <param name="revision">Revision of the compaction.</param>
    public void Compact(long revision)
    {
        lock (_lock)
        {
            foreach (Entry entry in _byUse.Where(entry => entry.Revision != 0 && entry.Revision < revision).ToArray())
            {
                Remove_NeedsLock(entry.Name);
            }

            foreach (Fill fill in _fills.Where(fill => fill.Revision != 0 && fill.Revision < revision))
            {
                fill.IsSpoilt = true;
            }
        }
    }

    /// <summary>What a linearizable read finds answers the same serializable one.</summary>
    private static ByteString NameOf(RangeRequest request)
    {
        RangeRequest named = request.Clone();
        named.Serializable = true;
        return named.ToByteString();
    }

    private void Remove_NeedsLock(ByteString name)
    {
        if (_entries.Remove(name, out LinkedListNode<Entry>? node))
        {
            _byUse.Remove(node);
            _bytes -= node.Value.Bytes;
        }
    }

    /// <summary>A read under way.</summary>
    internal sealed class Fill(ByteString name, long revision, Span span)
    {
        public ByteString Name => name;

        public long Revision => revision;

        public Span Span => span;

        public bool IsSpoilt { get; set; }
    }

    /// <summary>A range of keys: one, or all up to an end, of which "\0" is none.</summary>
    internal readonly record struct Span(ByteString Key, ByteString End)
    {
        public bool Meets(Span other) => StartsBeforeEndOf(other) && other.StartsBeforeEndOf(this);

        private bool StartsBeforeEndOf(Span other)
        {
            if (other.End.IsEmpty)
            {
                return Key.Span.SequenceCompareTo(other.Key.Span) <= 0;
            }

            return (other.End.Length == 1 && other.End[0] == 0) || Key.Span.SequenceCompareTo(other.End.Span) < 0;
        }
    }

    private sealed record Entry(ByteString Name, long Revision, Span Span, RangeResponse Answer, long Bytes);
}
