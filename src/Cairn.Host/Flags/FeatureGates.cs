namespace Cairn.Host.Flags;

/// <summary>One feature that can be switched in etcd.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Stage">How far it is in etcd: ALPHA or BETA.</param>
/// <param name="IsEnabled">Whether it is in force here.</param>
internal readonly record struct FeatureGate(string Name, string Stage, bool IsEnabled);

/// <summary>The value of <c>--feature-gates</c>: pairs Name=true or Name=false. Most say here what is so anyway.</summary>
/// <remarks>Source: etcd server/features/etcd_features.go, pkg/featuregate.</remarks>
internal static class FeatureGates
{
    private const string Alpha = "ALPHA";
    private const string Beta = "BETA";
    private const string CheckAtStart = "InitialCorruptCheck";

    // Whether it is in force whatever is asked for; null for what the flag decides.
    private static readonly (string Name, string Stage, bool? Always)[] Known =
    [
        ("AllAlpha", Alpha, false),
        ("AllBeta", Beta, false),
        ("CompactHashCheck", Alpha, true),
        (CheckAtStart, Alpha, null),
        ("LeaseCheckpoint", Alpha, true),
        ("LeaseCheckpointPersist", Alpha, true),
        ("SetMemberLocalAddr", Alpha, false),
        ("StopGRPCServiceOnDefrag", Alpha, false),
        ("TxnModeWriteWithSharedBuffer", Beta, true),
    ];

    // Of 3.7: what they switch is always so, or does not exist.
    private static readonly string[] Newer = ["FastLeaseKeepAlive", "PriorityRequest"];

    /// <summary>What is wrong with the value; null if nothing is.</summary>
    public static string? Fault(FlagValues values)
    {
        foreach (string pair in values.Words("feature-gates"))
        {
            string[] words = pair.Split('=', 2);
            if (words.Length < 2)
            {
                return $"missing bool value for {pair}";
            }

            if (!bool.TryParse(words[1], out _))
            {
                return $"invalid value of {pair}, err: strconv.ParseBool: parsing \"{words[1]}\": invalid syntax";
            }

            if (!Newer.Contains(words[0]) && !Known.Any(gate => gate.Name == words[0]))
            {
                return $"unrecognized feature gate: {words[0]}";
            }
        }

        return null;
    }

    /// <summary>Whether hashes are compared with those of the others at start.</summary>
    public static bool ChecksAtStart(FlagValues values) =>
        values.Switch("experimental-initial-corrupt-check") || values.Words("feature-gates").Any(static pair => pair.Equals($"{CheckAtStart}=true", StringComparison.OrdinalIgnoreCase));

    /// <summary>All features, and whether they are in force.</summary>
    public static IReadOnlyList<FeatureGate> Read(FlagValues values) => [.. Known.Select(gate => new FeatureGate(gate.Name, gate.Stage, gate.Always ?? ChecksAtStart(values)))];
}
