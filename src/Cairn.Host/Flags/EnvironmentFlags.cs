namespace Cairn.Host.Flags;

/// <summary>What the environment added to the flags.</summary>
/// <param name="Fault">Why the process cannot start; null if it can.</param>
/// <param name="Conflict">The variable that a flag of the command line shadows; null if there is none. Fatal, as in etcd.</param>
/// <param name="Used">Variables that were used.</param>
/// <param name="Unrecognized">Variables with the prefix that no flag has; harmless: charts and service links set many.</param>
internal sealed record EnvironmentOutcome(string? Fault, string? Conflict, IReadOnlyList<string> Used, IReadOnlyList<string> Unrecognized);

/// <summary>Reads flags from ETCD_ variables: the flag in capitals, dashes as underscores.</summary>
/// <remarks>Source: etcd pkg/flags/flag.go.</remarks>
internal static class EnvironmentFlags
{
    /// <summary>The variable that holds the path of the configuration file.</summary>
    public const string ConfigFile = "ETCD_CONFIG_FILE";

    private const string Prefix = "ETCD_";

    // Read by etcd's test suite and by its start-up itself, not by flags; nobody needs to hear of them.
    private static readonly HashSet<string> Silent = new(StringComparer.Ordinal) { ConfigFile, "ETCD_VERIFY", "ETCD_UNSUPPORTED_ARCH", "ETCD_VERSION" };

    /// <summary>The variable of a spelling.</summary>
    public static string VariableOf(string spelling) => Prefix + spelling.ToUpperInvariant().Replace('-', '_');

    /// <summary>Adds to the values what the environment sets and the command line does not.</summary>
    public static EnvironmentOutcome Apply(IReadOnlyDictionary<string, string> environment, CommandLine line)
    {
        var used = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        string? conflict = null;
        string? fault = null;
        foreach (string spelling in FlagTable.Spellings.Order(StringComparer.Ordinal))
        {
            string variable = VariableOf(spelling);
            known.Add(variable);
            if (!environment.TryGetValue(variable, out string? value))
            {
                continue;
            }

            if (line.Used.Contains(spelling))
            {
                conflict ??= variable;
            }
            else if (value.Length > 0)
            {
                fault ??= Take(spelling, variable, value, line.Values);
                used.Add(variable);
            }
        }

        var unrecognized = environment.Keys.Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && !known.Contains(name) && !Silent.Contains(name));
        return new EnvironmentOutcome(fault, conflict, used, [.. unrecognized.Order(StringComparer.Ordinal)]);
    }

    private static string? Take(string spelling, string variable, string value, FlagValues values)
    {
        FlagDefinition? flag = FlagTable.Find(spelling);
        Invariant.Holds(flag is not null);
        if (FlagValue.Fault(flag, value) is { } fault)
        {
            return $"invalid value \"{value}\" for {variable}: {fault}";
        }

        values.Set(flag, value, variable);
        return null;
    }
}
