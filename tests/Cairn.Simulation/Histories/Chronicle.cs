using Cairn.Protocol;

namespace Cairn.Simulation.Histories;

// Example: revision 2 puts a, 3 puts a and b, 4 deletes a. Of revision 3 there are two rows, of revision 4 one.
//
// The store's revisions are a total order of all writes. So nobody has to search for an order in which what clients saw makes sense: the order is on the
// table, and each answer is held against the state of the revision that it claims.

/// <summary>What happened to the key space, in order, as one watcher of everything saw it from the first revision to the last.</summary>
internal sealed class Chronicle
{
    private readonly SortedDictionary<long, List<Event>> _events = [];
    private readonly Dictionary<long, long> _seen = [];
    private readonly SortedDictionary<string, List<(long Revision, KeyValue? Row)>> _keys = new(StringComparer.Ordinal);

    /// <summary>Builds it.</summary>
    /// <param name="begin">What there was at first.</param>
    /// <param name="witness">A watcher of all keys from there on that missed nothing.</param>
    public Chronicle(Baseline begin, WatchRecord witness)
    {
        Begin = begin.Revision;
        foreach (var row in begin.Rows)
        {
            _keys.Add(row.Key.ToStringUtf8(), [(row.ModRevision, row)]);
        }

        foreach (var message in witness.Messages)
        {
            foreach (var change in message.Events)
            {
                Add(change, message.At);
            }
        }
    }

    /// <summary>Revisions with what changed in them.</summary>
    public IReadOnlyDictionary<long, List<Event>> Events => _events;

    /// <summary>The revision of before all that.</summary>
    public long Begin { get; }

    /// <summary>The newest revision.</summary>
    public long Last => _events.Count == 0 ? Begin : _events.Keys.Last();

    /// <summary>When the witness saw a revision.</summary>
    public long SeenAt(long revision) => _seen[revision];

    /// <summary>Finds a key as of a revision.</summary>
    /// <returns>The row; null if there was none.</returns>
    public KeyValue? Find(string key, long revision)
    {
        if (!_keys.TryGetValue(key, out var versions))
        {
            return null;
        }

        KeyValue? row = null;
        foreach (var version in versions)
        {
            if (version.Revision > revision)
            {
                break;
            }

            row = version.Row;
        }

        return row;
    }

    /// <summary>Lists the rows of a range as of a revision, in order.</summary>
    public IEnumerable<KeyValue> Range(string key, string end, long revision) =>
        from name in _keys.Keys
        where Contains(key, end, name)
        let row = Find(name, revision)
        where row is not null
        select row;

    /// <summary>Tells whether a key is in a range.</summary>
    public static bool Contains(string key, string end, string name) => end.Length == 0
        ? name == key
        : string.CompareOrdinal(name, key) >= 0 && (end == "\0" || string.CompareOrdinal(name, end) < 0);

    private void Add(Event change, long at)
    {
        var revision = change.Kv.ModRevision;
        if (!_events.TryGetValue(revision, out var events))
        {
            _events.Add(revision, events = []);
            _seen.Add(revision, at);
        }

        events.Add(change);
        var key = change.Kv.Key.ToStringUtf8();
        if (!_keys.TryGetValue(key, out var versions))
        {
            _keys.Add(key, versions = []);
        }

        versions.Add((revision, change.Type == Event.Types.EventType.Delete ? null : change.Kv));
    }
}
