using System.Globalization;
using System.Text.RegularExpressions;
using Cairn.Protocol;
using Cairn.Simulation.Histories;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Who goes on without a majority loses no more than is announced: all that was acknowledged up to the revision that is named is there, what is there was written by somebody, and no revision
/// is used twice.</summary>
/// <remarks>
/// Held against both sides: the logs, of which is known what was committed, and what clients were told. What was acknowledged later may be there or not.
/// Source: docs/decisions/0013; docs/HEALING.md, "A majority is gone for good".
/// </remarks>
internal static partial class AnnouncedLoss
{
    /// <summary>Checks.</summary>
    /// <param name="announced">What the survivors said that may be lost.</param>
    /// <param name="committed">Terms of the entries that were committed.</param>
    /// <param name="founder">The log from which the new epoch was founded.</param>
    /// <param name="history">What clients were told before.</param>
    /// <param name="begin">What the new epoch begins with.</param>
    /// <returns>What is wrong; null if nothing is.</returns>
    public static string? Check(string announced, IReadOnlyList<ulong> committed, DurableLog founder, History history, Baseline begin)
    {
        if (Bound().Match(announced) is not { Success: true } bound)
        {
            return $"it is not said what may be lost: {announced}";
        }

        var (index, revision) = (ulong.Parse(bound.Groups[1].ValueSpan, CultureInfo.InvariantCulture), long.Parse(bound.Groups[2].ValueSpan, CultureInfo.InvariantCulture));
        var failure = CheckLog(index, committed, founder)
            ?? CheckRevisions(history, begin)
            ?? CheckWrites(revision, history, begin)
            ?? begin.Rows.Select(row => CheckRow(row, history)).FirstOrDefault(static wrong => wrong is not null);
        return failure is null ? null : $"{failure}; announced was: {announced}";
    }

    [GeneratedRegex(@"knows index (\d+), revision (\d+), to be committed")]
    private static partial Regex Bound();

    private static string? CheckLog(ulong index, IReadOnlyList<ulong> committed, DurableLog founder)
    {
        if (index > (ulong)committed.Count)
        {
            return $"index {index} is not committed";
        }

        for (var i = founder.Begin + 1; i <= index; i++)
        {
            if (founder.TermOf(i) != committed[(int)i - 1])
            {
                return $"entry {i} of term {committed[(int)i - 1]} was committed, the new epoch was founded from {founder}, with term {founder.TermOf(i)} there";
            }
        }

        return null;
    }

    private static string? CheckRevisions(History history, Baseline begin)
    {
        var seen = history.Operations.Where(static operation => operation.End == OperationEnd.Done).Select(static operation => operation.Revision)
            .Concat(history.Watches.Select(static watch => watch.Next - 1)).DefaultIfEmpty().Max();
        return begin.Revision > seen ? null : $"the new epoch begins at revision {begin.Revision}, {seen} was shown before";
    }

    private static string? CheckWrites(long revision, History history, Baseline begin)
    {
        foreach (var operation in history.Operations.Where(operation => operation is { End: OperationEnd.Done, Wrote: true } && operation.Revision <= revision))
        {
            foreach (var (key, value) in operation.Puts)
            {
                var row = begin.Rows.FirstOrDefault(row => row.Key.ToStringUtf8() == key);
                var isThere = row is null ? WasDeleted(key, operation.Revision, history) : row.ModRevision > operation.Revision || row.Value.ToStringUtf8() == value;
                if (!isThere)
                {
                    return $"{operation} is lost: {key} is {(row is null ? "not there" : $"of revision {row.ModRevision}")}";
                }
            }

            if (begin.Rows.FirstOrDefault(row => row.ModRevision < operation.Revision && operation.Deletes.Exists(range => Covers(range, row))) is { } left)
            {
                return $"{operation} is lost: {left.Key.ToStringUtf8()} of revision {left.ModRevision} is there";
            }
        }

        return null;
    }

    private static bool Covers((string Key, string End) range, KeyValue row) => Chronicle.Contains(range.Key, range.End, row.Key.ToStringUtf8());

    /// <summary>Whether a key may have been deleted after a revision: by somebody, or by the end of its lease.</summary>
    private static bool WasDeleted(string key, long after, History history) =>
        history.Leases.Exists(lease => lease.Key == key)
        || history.Operations.Exists(operation => operation.Deletes.Exists(range => Chronicle.Contains(range.Key, range.End, key))
            && (operation.End == OperationEnd.Unknown || (operation is { End: OperationEnd.Done, Wrote: true } && operation.Revision > after)));

    /// <summary>Whether a row is one that somebody put, at the revision that he was told.</summary>
    private static string? CheckRow(KeyValue row, History history)
    {
        var put = (row.Key.ToStringUtf8(), row.Value.ToStringUtf8());
        var cause = history.Operations.Find(operation => operation.Puts.Contains(put));
        return cause is null || cause.End == OperationEnd.Refused ? $"{put.Item1} at revision {row.ModRevision} has a value that nobody put"
            : cause.End == OperationEnd.Done && cause.Revision != row.ModRevision ? $"{cause} is there at revision {row.ModRevision}"
            : null;
    }
}
