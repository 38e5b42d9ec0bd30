namespace Cairn.Host.Flags;

/// <summary>What --auth-token says: simple tokens, or signed ones and where their keys are.</summary>
/// <remarks>Source: etcd server/auth/{store,options}.go.</remarks>
internal sealed record TokenOptions
{
    private static readonly TimeSpan DefaultTtl = TimeSpan.FromMinutes(5);

    /// <summary>Whether tokens are signed.</summary>
    public bool IsJwt { get; private init; }

    /// <summary>How they are signed, as tokens name it.</summary>
    public string Method { get; private init; } = "";

    /// <summary>Path of the public key; empty if none.</summary>
    public string PublicKeyFile { get; private init; } = "";

    /// <summary>Path of the private key; empty if none.</summary>
    public string PrivateKeyFile { get; private init; } = "";

    /// <summary>How long a signed token lives.</summary>
    public TimeSpan Ttl { get; private init; } = DefaultTtl;

    /// <summary>Options that mean nothing.</summary>
    public IReadOnlyList<string> Unknown { get; private init; } = [];

    /// <summary>Reads the value of the flag.</summary>
    /// <param name="text">"simple", or "jwt,pub-key=…,priv-key=…,sign-method=…,ttl=…".</param>
    /// <param name="fault">What is wrong with it; null if nothing is.</param>
    /// <returns>What it says.</returns>
    public static TokenOptions Read(string text, out string? fault)
    {
        string[] parts = text.Split(',');
        fault = parts[0] is "simple" or "jwt" ? null : $"--auth-token: \"{parts[0]}\" is no kind of token; simple or jwt is expected";
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string part in parts.Skip(1))
        {
            string[] pair = part.Split('=');
            if (pair.Length != 2 || !options.TryAdd(pair[0], pair[1]))
            {
                fault ??= $"--auth-token: \"{part}\" is no option of the form name=value, or is given twice";
            }
        }

        TimeSpan ttl = DefaultTtl;
        if (options.GetValueOrDefault("ttl") is { Length: > 0 } life && !(GoDuration.TryParse(life, out ttl) && ttl > TimeSpan.Zero))
        {
            fault ??= $"--auth-token: ttl={life} is no duration such as 5m";
        }

        return new TokenOptions
        {
            IsJwt = parts[0] == "jwt",
            Method = options.GetValueOrDefault("sign-method", ""),
            PublicKeyFile = options.GetValueOrDefault("pub-key", ""),
            PrivateKeyFile = options.GetValueOrDefault("priv-key", ""),
            Ttl = ttl,
            Unknown = parts[0] == "jwt" ? [.. options.Keys.Except(["ttl", "sign-method", "pub-key", "priv-key"]).Order(StringComparer.Ordinal)] : [],
        };
    }
}
