using System.Collections.Immutable;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>What the store holds of one writer, as far as the writer knows. A trivial model of keys and leases.</summary>
/// <param name="Rows">Keys with what is known of them.</param>
/// <param name="Leases">Leases that live.</param>
internal sealed record WriterState(ImmutableSortedDictionary<string, Row> Rows, ImmutableSortedSet<long> Leases)
{
    /// <summary>A writer that has written nothing.</summary>
    public static readonly WriterState Empty = new(ImmutableSortedDictionary.Create<string, Row>(StringComparer.Ordinal), []);

    /// <summary>What an operation makes of it.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="revision">Its revision, or 0 if that is not known.</param>
    /// <returns>The state after it.</returns>
    public WriterState After(Operation operation, long revision) => operation switch
    {
        Put put => this with { Rows = Rows.SetItem(put.Key, new Row(put.Value, put.Lease, revision)) },
        Delete delete => this with { Rows = Rows.Remove(delete.Key) },
        Grant grant => this with { Leases = Leases.Add(grant.Lease) },
        Revoke revoke => new WriterState(Rows.RemoveRange(KeysOf(revoke.Lease)), Leases.Remove(revoke.Lease)),
        _ => throw new InvalidOperationException($"{operation} is no operation"),
    };

    /// <summary>The keys that end with a lease.</summary>
    /// <param name="lease">The lease.</param>
    /// <returns>The keys.</returns>
    public IEnumerable<string> KeysOf(long lease) => Rows.Where(row => row.Value.Lease == lease).Select(static row => row.Key);

    /// <summary>Says how the store differs from this.</summary>
    /// <param name="found">What the store holds.</param>
    /// <returns>The differences; empty if there are none.</returns>
    public IReadOnlyList<string> DifferencesTo(WriterState found)
    {
        var differences = new List<string>();
        differences.AddRange(Leases.Except(found.Leases).Select(static lease => $"lease {lease} is missing"));
        differences.AddRange(found.Leases.Except(Leases).Select(static lease => $"lease {lease} should be gone"));
        differences.AddRange(found.Rows.Keys.Where(key => !Rows.ContainsKey(key)).Select(key => $"{key} is there as {found.Rows[key]} and should not be"));
        foreach (var (key, row) in Rows)
        {
            if (!found.Rows.TryGetValue(key, out var there))
            {
                differences.Add($"{key} is missing and should be {row}");
            }
            else if (there != (row.Revision == 0 ? row with { Revision = there.Revision } : row))
            {
                differences.Add($"{key} is {there} and should be {row}");
            }
        }

        return differences;
    }
}

/// <summary>What is known of a key.</summary>
/// <param name="Value">Its value.</param>
/// <param name="Lease">Its lease, or 0.</param>
/// <param name="Revision">The revision of its last change, or 0 if that is not known.</param>
internal readonly record struct Row(string Value, long Lease, long Revision);
