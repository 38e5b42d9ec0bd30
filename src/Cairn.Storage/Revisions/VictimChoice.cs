namespace Cairn.Storage.Revisions;

/// <summary>Which segments the cleaner empties next. A pure function.</summary>
internal static class VictimChoice
{
    // A segment below this part of the full size is small; so many small ones are merged, whatever they hold, so that files do not become many.
    private const int SmallPart = 8;
    private const int SmallMergedMin = 8;

    // Even if the owner needs every record of all victims, the offsets of the output fit into 32 bits.
    private const long VictimBytesMax = uint.MaxValue / 2;

    /// <summary>Chooses.</summary>
    /// <param name="accounts">All segments.</param>
    /// <param name="policy">When one is worth it.</param>
    /// <param name="segmentBytes">Size of a full segment: what the output may hold.</param>
    /// <returns>Victims; empty if nothing is worth it.</returns>
    public static IReadOnlyList<SegmentAccount> Choose(IEnumerable<SegmentAccount> accounts, CleaningPolicy policy, long segmentBytes)
    {
        Invariant.Holds(policy is { DeadPercentMin: >= 1 and <= 100, VictimsMax: >= 2 });
        var cleanable = accounts.Where(account => account.IsCleanable).ToList();
        var worthwhile = cleanable.Where(account => DeadPercentOf(account) >= policy.DeadPercentMin).OrderByDescending(DeadPercentOf);
        var chosen = Fitting(worthwhile, policy.VictimsMax, segmentBytes);
        if (chosen.Count == 0)
        {
            var small = cleanable.Where(account => account.End < segmentBytes / SmallPart).ToList();
            chosen = small.Count >= SmallMergedMin ? Fitting(small, policy.VictimsMax, segmentBytes) : [];
        }

        return chosen;
    }

    private static int DeadPercentOf(SegmentAccount account) => (int)(account.DeadBytes * 100 / (account.End - SegmentFormat.HeaderBytes));

    private static List<SegmentAccount> Fitting(IEnumerable<SegmentAccount> accounts, int countMax, long bytesMax)
    {
        var chosen = new List<SegmentAccount>();
        var live = (long)SegmentFormat.HeaderBytes;
        var total = 0L;
        foreach (var account in accounts)
        {
            live += account.LiveBytes;
            total += account.End;
            if (chosen.Count > 0 && (live > bytesMax || total > VictimBytesMax || chosen.Count == countMax))
            {
                break;
            }

            chosen.Add(account);
        }

        return chosen;
    }
}
