namespace Cairn.Host.Flags;

/// <summary>Reads flags from a configuration file: keys are flag names, durations are whole nanoseconds, certificates stand in two maps, discovery in a third.</summary>
/// <remarks>Source: etcd server/embed/config.go, configFromFile.</remarks>
internal static class ConfigFile
{
    private const string ClientSecurity = "client-transport-security.";
    private const string PeerSecurity = "peer-transport-security.";
    private const string Discovery = "discovery-config.";

    /// <summary>Reads a file's text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="values">Where the values go.</param>
    /// <param name="unknown">Keys that no flag has.</param>
    /// <returns>What is wrong; null if nothing is.</returns>
    public static string? Read(string text, FlagValues values, out IReadOnlyList<string> unknown)
    {
        var strange = new List<string>();
        unknown = strange;
        if (FlatYaml.Parse(text, out List<KeyValuePair<string, string>> pairs) is { } fault)
        {
            return fault;
        }

        foreach ((string key, string value) in pairs)
        {
            if (FlagTable.Find(FlagOf(key)) is not { } flag)
            {
                strange.Add(key);
                continue;
            }

            string written = flag.Kind == FlagKind.Duration && long.TryParse(value, out _) ? value + "ns" : value;
            if (FlagValue.Fault(flag, written) is { } wrong)
            {
                return $"invalid value \"{value}\" for {key}: {wrong}";
            }

            values.Set(flag, written, "file");
        }

        return null;
    }

    private static string FlagOf(string key) => key switch
    {
        ClientSecurity + "allowed-hostname" => "client-cert-allowed-hostname",
        ClientSecurity + "crl-file" => "client-crl-file",
        PeerSecurity + "allowed-cn" => "peer-cert-allowed-cn",
        PeerSecurity + "allowed-hostname" => "peer-cert-allowed-hostname",
        "experimental-snapshot-catch-up-entries" => "snapshot-catchup-entries",
        Discovery + "client.auth.username" => "discovery-user",
        _ when key.StartsWith(Discovery, StringComparison.Ordinal) => $"discovery-{key[(key.LastIndexOf('.') + 1)..]}",
        _ when key.StartsWith(ClientSecurity, StringComparison.Ordinal) => key[ClientSecurity.Length..],
        _ when key.StartsWith(PeerSecurity, StringComparison.Ordinal) => "peer-" + key[PeerSecurity.Length..],
        _ => key,
    };
}
