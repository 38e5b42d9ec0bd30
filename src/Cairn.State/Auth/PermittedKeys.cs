using System.Collections.Immutable;
using Cairn.Protocol;

namespace Cairn.State.Auth;

/// <summary>What all roles of a user allow, taken together.</summary>
internal sealed record PermittedKeys(KeyIntervals Readable, KeyIntervals Writable)
{
    public static PermittedKeys Of(AuthUser user, ImmutableSortedDictionary<string, AuthRole> roles)
    {
        var readable = new List<AuthPermission>();
        var writable = new List<AuthPermission>();
        foreach (var name in user.Roles)
        {
            foreach (var permission in roles.TryGetValue(name, out var role) ? role.Permissions : [])
            {
                if (permission.Type is Permission.Types.Type.Read or Permission.Types.Type.Readwrite)
                {
                    readable.Add(permission);
                }

                if (permission.Type is Permission.Types.Type.Write or Permission.Types.Type.Readwrite)
                {
                    writable.Add(permission);
                }
            }
        }

        return new PermittedKeys(new KeyIntervals(readable), new KeyIntervals(writable));
    }
}

/// <summary>A set of keys, as disjoint intervals with gaps between them: neighbours are merged, so that two grants may cover one request.</summary>
/// <remarks>Source: etcd pkg/adt/interval_tree.go (Contains), server/auth/range_perm_cache.go.</remarks>
internal sealed class KeyIntervals
{
    private readonly List<(byte[] Begin, byte[]? End)> _intervals = [];

    public KeyIntervals(IEnumerable<AuthPermission> permissions)
    {
        var all = permissions.Select(permission => (Begin: permission.Key.ToArray(), End: EndOf(permission.Key, permission.RangeEnd))).ToList();
        all.Sort((left, right) => left.Begin.AsSpan().SequenceCompareTo(right.Begin));
        foreach (var (begin, end) in all)
        {
            if (_intervals.Count == 0 || Compare(_intervals[^1].End, begin) < 0)
            {
                _intervals.Add((begin, end));
            }
            else if (Compare(_intervals[^1].End, end) < 0)
            {
                _intervals[^1] = (_intervals[^1].Begin, end);
            }
        }
    }

    /// <summary>Whether all keys of a range are in the set.</summary>
    public bool Covers(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> rangeEnd)
    {
        var end = EndOf(key, rangeEnd);
        var begin = key.ToArray();
        foreach (var interval in _intervals)
        {
            // The last condition decides about a range whose end is not after its key: it names no key at all, and etcd permits it where its key is permitted.
            if (interval.Begin.AsSpan().SequenceCompareTo(begin) <= 0 && Compare(interval.End, end) >= 0 && Compare(interval.End, begin) > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>First key after the range; null is none.</summary>
    private static byte[]? EndOf(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> rangeEnd) => rangeEnd.Length switch
    {
        0 => [.. key.Span, 0],
        1 when rangeEnd.Span[0] == 0 => null,
        _ => rangeEnd.ToArray(),
    };

    private static int Compare(byte[]? left, byte[]? right) => (left, right) switch
    {
        (null, null) => 0,
        (null, _) => 1,
        (_, null) => -1,
        _ => left.AsSpan().SequenceCompareTo(right),
    };
}
