using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>Linearizability, the half about values: every row that a client was shown is the row of the revision that the answer claims.</summary>
/// <remarks>Source: etcd api guarantees; MVCC: the state of a revision never changes.</remarks>
internal static class AnswersMatchState
{
    public static string? Check(Chronicle chronicle, History history)
    {
        foreach (var operation in history.Operations)
        {
            foreach (var reading in operation.Readings)
            {
                var expected = chronicle.Range(reading.Key, reading.End, reading.Revision).ToList();
                if (!expected.SequenceEqual(reading.Rows))
                {
                    return $"{operation} was shown {Describe(reading.Rows)}, revision {reading.Revision} has {Describe(expected)}";
                }
            }

            if (CheckComparison(operation, chronicle) is { } failure)
            {
                return failure;
            }
        }

        return null;
    }

    private static string? CheckComparison(Operation operation, Chronicle chronicle)
    {
        if (operation.Comparison is not { } comparison)
        {
            return null;
        }

        var before = comparison.Held ? operation.Revision - 1 : operation.Revision;
        var actual = chronicle.Find(comparison.Key, before)?.ModRevision ?? 0;
        return actual == comparison.ModRevision == comparison.Held ? null : $"{operation} was judged {comparison.Held}, but the key was at {actual}";
    }

    private static string Describe(IEnumerable<Protocol.KeyValue> rows) =>
        $"[{string.Join(", ", rows.Select(row => $"{row.Key.ToStringUtf8()}@{row.ModRevision}"))}]";
}
