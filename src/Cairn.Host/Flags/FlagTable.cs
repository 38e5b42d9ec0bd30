namespace Cairn.Host.Flags;

/// <summary>All flags of etcd 3.4 to 3.7 under all their spellings.</summary>
internal static class FlagTable
{
    private const string Experimental = "experimental-";

    /// <summary>The groups, in the order of the help.</summary>
    public static readonly IReadOnlyList<FlagGroup> Groups =
    [
        ServerFlags.Member, ServerFlags.Clustering, AccessFlags.Security, AccessFlags.Auth, AccessFlags.Monitoring, AccessFlags.Logging, ServerFlags.Features, ServerFlags.Unsafe,
    ];

    private static readonly Dictionary<string, FlagDefinition> BySpelling = Spell();

    /// <summary>All spellings.</summary>
    public static IEnumerable<string> Spellings => BySpelling.Keys;

    /// <summary>The flag of a spelling; null if there is none.</summary>
    public static FlagDefinition? Find(string spelling) => BySpelling.GetValueOrDefault(spelling);

    /// <summary>The spelling that is closest to one that does not exist; null if none is close.</summary>
    public static string? Nearest(string spelling)
    {
        // One slip in a short name, a few in a long one, still mean the same flag.
        int distanceMax = Math.Max(1, spelling.Length / 4);
        return BySpelling.Keys.Select(known => (known, distance: Distance(known, spelling)))
            .Where(pair => pair.distance <= distanceMax)
            .OrderBy(static pair => pair.distance).ThenBy(static pair => pair.known, StringComparer.Ordinal)
            .Select(static pair => pair.known)
            .FirstOrDefault();
    }

    private static Dictionary<string, FlagDefinition> Spell()
    {
        var spellings = new Dictionary<string, FlagDefinition>(StringComparer.Ordinal);
        foreach (FlagDefinition flag in Groups.SelectMany(static group => group.Flags))
        {
            spellings.Add(flag.Name, flag);
            if (flag.WasExperimental)
            {
                spellings.Add(Experimental + flag.Name, flag);
            }
        }

        return spellings;
    }

    /// <summary>Levenshtein's distance: single-character changes from one to the other.</summary>
    private static int Distance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int change = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[to.Length];
    }
}
