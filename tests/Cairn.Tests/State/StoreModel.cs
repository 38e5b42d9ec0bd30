using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Tests.State;

/// <summary>The key space as anybody would write it first: a copy of everything for each revision.</summary>
internal sealed class StoreModel
{
    private readonly List<SortedDictionary<string, KeyValue>> _states = [[], []];
    private readonly Dictionary<long, HashSet<string>> _leases = [];
    private SortedDictionary<string, KeyValue>? _open;

    public long Revision => _states.Count - 1;

    public long Compacted { get; set; } = -1;

    public IReadOnlyDictionary<string, KeyValue> Now => _open ?? _states[^1];

    public IReadOnlyCollection<long> Leases => _leases.Keys;

    public IReadOnlyDictionary<string, KeyValue> At(long revision) => _states[(int)revision];

    public void Put(string key, string value, long lease)
    {
        var state = Open();
        var previous = state.GetValueOrDefault(key);
        Detach(key);
        state[key] = new KeyValue
        {
            Key = ByteString.CopyFromUtf8(key),
            Value = ByteString.CopyFromUtf8(value),
            Lease = lease,
            CreateRevision = previous?.CreateRevision ?? Revision + 1,
            ModRevision = Revision + 1,
            Version = (previous?.Version ?? 0) + 1,
        };
        if (lease != 0)
        {
            _leases[lease].Add(key);
        }
    }

    public int Delete(Func<string, bool> range)
    {
        string[] keys = [.. Now.Keys.Where(range)];
        foreach (var key in keys)
        {
            Open().Remove(key);
            Detach(key);
        }

        return keys.Length;
    }

    public bool Grant(long id) => _leases.TryAdd(id, []);

    public bool Revoke(long id)
    {
        if (!_leases.TryGetValue(id, out var keys))
        {
            return false;
        }

        var attached = keys.ToHashSet();
        Delete(attached.Contains);
        Commit();
        return _leases.Remove(id);
    }

    public string[] KeysOf(long lease) => [.. _leases[lease].Order(StringComparer.Ordinal)];

    public void Commit()
    {
        if (_open is not null)
        {
            _states.Add(_open);
            _open = null;
        }
    }

    private SortedDictionary<string, KeyValue> Open() => _open ??= new SortedDictionary<string, KeyValue>(_states[^1], StringComparer.Ordinal);

    private void Detach(string key)
    {
        foreach (var keys in _leases.Values)
        {
            keys.Remove(key);
        }
    }
}
