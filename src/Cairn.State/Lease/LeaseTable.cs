using System.Runtime.CompilerServices;

namespace Cairn.State.Lease;

/// <summary>What the replicated state knows of one lease. Time is not in it: when a lease ends is for the leader's clock to say.</summary>
/// <param name="Id">Chosen by the client or the server; any number but 0, negative ones included.</param>
/// <param name="GrantedTtl">Seconds a renewal gives; at least the minimum of the cluster.</param>
/// <param name="Remaining">Time that was left at the last checkpoint, in whole milliseconds; zero if there was none since the last renewal.</param>
public readonly record struct LeaseInfo(long Id, long GrantedTtl, TimeSpan Remaining = default)
{
    private const int MillisecondsASecond = 1000;

    /// <summary>The same in seconds, as etcd knows it: rounded up.</summary>
    public long RemainingTtl => (long)Math.Ceiling(Remaining.TotalSeconds);

    /// <summary>By how many milliseconds <see cref="RemainingTtl"/> is more than is left.</summary>
    public int RoundedUp => (int)((RemainingTtl * MillisecondsASecond) - (long)Remaining.TotalMilliseconds);

    /// <summary>Puts together what was left.</summary>
    /// <param name="remainingTtl">Seconds, rounded up; anything outside of what can be granted is brought into it.</param>
    /// <param name="roundedUp">By how many milliseconds.</param>
    /// <returns>The time; zero for none.</returns>
    public static TimeSpan RemainingOf(long remainingTtl, long roundedUp)
    {
        var seconds = Math.Clamp(remainingTtl, 0, LeaseTable.TtlMax);
        return TimeSpan.FromMilliseconds((seconds * MillisecondsASecond) - (seconds == 0 ? 0 : Math.Clamp(roundedUp, 0, MillisecondsASecond - 1)));
    }
}

/// <summary>The leases and the keys attached to them.</summary>
/// <remarks>
/// One writer, the apply loop; reads of other threads take the same short lock. Keys are known by reference: every key of the index is one array.
/// Source: etcd server/lease/lessor.go.
/// </remarks>
public sealed class LeaseTable
{
    /// <summary>Longest TTL that can be granted, in seconds: etcd's limit, far below what would overflow a clock.</summary>
    public const long TtlMax = 9_000_000_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, Holding> _leases = [];
    private readonly Dictionary<byte[], long> _leaseOfKey = new(ReferenceComparer.Instance);
    private readonly long _minimumTtl;

    internal LeaseTable(long minimumTtl)
    {
        Invariant.Holds(minimumTtl > 0 && minimumTtl <= TtlMax);
        _minimumTtl = minimumTtl;
    }

    /// <summary>Number of leases. Any thread.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _leases.Count;
            }
        }
    }

    /// <summary>Looks a lease up. Any thread.</summary>
    /// <param name="id">Which.</param>
    /// <param name="lease">What is known of it.</param>
    /// <returns>Whether it exists.</returns>
    public bool TryGet(long id, out LeaseInfo lease)
    {
        lock (_lock)
        {
            var found = _leases.TryGetValue(id, out var holding);
            lease = found ? holding!.Info : default; // TryGetValue found it.
            return found;
        }
    }

    /// <summary>Lists all leases by ascending id. Any thread.</summary>
    /// <returns>A copy.</returns>
    public LeaseInfo[] List()
    {
        lock (_lock)
        {
            var all = new LeaseInfo[_leases.Count];
            var at = 0;
            foreach (var holding in _leases.Values)
            {
                all[at++] = holding.Info;
            }

            Array.Sort(all, (left, right) => left.Id.CompareTo(right.Id));
            return all;
        }
    }

    /// <summary>Lists the keys attached to a lease, in order. Any thread.</summary>
    /// <param name="id">Which lease.</param>
    /// <returns>The keys; must not be changed. Empty for an unknown lease.</returns>
    public byte[][] KeysOf(long id)
    {
        lock (_lock)
        {
            if (!_leases.TryGetValue(id, out var holding) || holding.Keys is null)
            {
                return [];
            }

            byte[][] keys = [.. holding.Keys];
            Array.Sort(keys, (left, right) => left.AsSpan().SequenceCompareTo(right));
            return keys;
        }
    }

    /// <summary>Lists all attached keys, in no order. Writer only.</summary>
    internal (byte[] Key, long Lease)[] ListKeys() => [.. _leaseOfKey.Select(pair => (pair.Key, pair.Value))];

    internal bool Contains(long id) => _leases.ContainsKey(id);

    internal StoreError Grant(long id, long ttl, out LeaseInfo granted)
    {
        granted = default;
        if (id == 0)
        {
            return StoreError.LeaseNotFound;
        }

        if (ttl > TtlMax)
        {
            return StoreError.LeaseTtlTooLarge;
        }

        lock (_lock)
        {
            granted = new LeaseInfo(id, Math.Max(ttl, _minimumTtl));
            return _leases.TryAdd(id, new Holding(granted)) ? StoreError.None : StoreError.LeaseExists;
        }
    }

    /// <summary>Takes a lease from disk as it was, whatever the minimum is now.</summary>
    internal void Load(LeaseInfo lease)
    {
        Invariant.Holds(lease.Id != 0);
        lock (_lock)
        {
            Invariant.Holds(_leases.TryAdd(lease.Id, new Holding(lease)));
        }
    }

    /// <summary>Forgets a lease whose keys are all detached.</summary>
    internal void Remove(long id)
    {
        lock (_lock)
        {
            Invariant.Holds(_leases.Remove(id, out var holding));
            Invariant.Holds(holding.Keys is null or { Count: 0 });
        }
    }

    /// <summary>Remembers how long a lease still had; unknown leases are passed over.</summary>
    internal void Checkpoint(long id, TimeSpan remaining)
    {
        lock (_lock)
        {
            if (_leases.TryGetValue(id, out var holding))
            {
                holding.Info = holding.Info with { Remaining = remaining };
            }
        }
    }

    /// <summary>Which lease a key is attached to; 0 is none. Writer only.</summary>
    internal long LeaseOf(byte[] key) => _leaseOfKey.Count == 0 ? 0 : _leaseOfKey.GetValueOrDefault(key);

    /// <summary>Attaches a key to a lease, or to none, instead of what it was attached to. Writer only.</summary>
    internal void Attach(byte[] key, long lease)
    {
        var former = LeaseOf(key);
        if (former == lease)
        {
            return;
        }

        lock (_lock)
        {
            if (former != 0)
            {
                Invariant.Holds(_leases[former].Keys is { } keys && keys.Remove(key));
                _leaseOfKey.Remove(key);
            }

            if (lease != 0 && _leases.TryGetValue(lease, out var holding))
            {
                (holding.Keys ??= new HashSet<byte[]>(ReferenceComparer.Instance)).Add(key);
                _leaseOfKey.Add(key, lease);
            }
        }
    }

    internal void AssertInvariants()
    {
        lock (_lock)
        {
            var attached = 0;
            foreach (var (id, holding) in _leases)
            {
                Invariant.Holds(id != 0 && id == holding.Info.Id);
                Invariant.Holds(holding.Info.GrantedTtl <= TtlMax);
                attached += holding.Keys?.Count ?? 0;
                foreach (var key in holding.Keys ?? [])
                {
                    Invariant.Holds(_leaseOfKey[key] == id);
                }
            }

            Invariant.Holds(attached == _leaseOfKey.Count);
        }
    }

    private sealed class Holding(LeaseInfo info)
    {
        public LeaseInfo Info { get; set; } = info;

        public HashSet<byte[]>? Keys { get; set; }
    }

    private sealed class ReferenceComparer : IEqualityComparer<byte[]>
    {
        public static ReferenceComparer Instance { get; } = new();

        public bool Equals(byte[]? left, byte[]? right) => ReferenceEquals(left, right);

        public int GetHashCode(byte[] key) => RuntimeHelpers.GetHashCode(key);
    }
}
