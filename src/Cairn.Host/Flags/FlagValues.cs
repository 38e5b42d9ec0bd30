using System.Globalization;

namespace Cairn.Host.Flags;

/// <summary>The values of all flags: those that were set, wherever from, and the defaults of the rest.</summary>
internal sealed class FlagValues
{
    private readonly Dictionary<string, (string Value, string Origin)> _set = new(StringComparer.Ordinal);

    /// <summary>Names of the flags that were set.</summary>
    public IEnumerable<string> SetNames => _set.Keys.Order(StringComparer.Ordinal);

    /// <summary>Whether a flag was set.</summary>
    public bool IsSet(string name) => _set.ContainsKey(name);

    /// <summary>Who set a flag; null if nobody did.</summary>
    public string? OriginOf(string name) => _set.TryGetValue(name, out var set) ? set.Origin : null;

    /// <summary>Sets a flag; the last value counts.</summary>
    public void Set(FlagDefinition flag, string value, string origin) => _set[flag.Name] = (value, origin);

    /// <summary>A value as text.</summary>
    public string Text(string name) => _set.TryGetValue(name, out var set) ? set.Value : Definition(name).Default;

    /// <summary>A switch.</summary>
    public bool Switch(string name) => FlagValue.TryBool(Text(name), out bool value) && value;

    /// <summary>A number.</summary>
    public long Number(string name) => (long)Int128.Min(Int128.Parse(Text(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture), long.MaxValue);

    /// <summary>A duration.</summary>
    public TimeSpan Duration(string name)
    {
        bool valid = GoDuration.TryParse(Text(name), out TimeSpan value);
        Invariant.Holds(valid, $"{name}");
        return value;
    }

    /// <summary>URLs.</summary>
    public IReadOnlyList<EtcdUrl> Urls(string name)
    {
        bool valid = EtcdUrl.TryParseList(Text(name), out IReadOnlyList<EtcdUrl> urls, out _);
        Invariant.Holds(valid, $"{name}");
        return urls;
    }

    /// <summary>Words separated by commas, without empty ones.</summary>
    public IReadOnlyList<string> Words(string name) => Text(name).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static FlagDefinition Definition(string name)
    {
        FlagDefinition? flag = FlagTable.Find(name);
        Invariant.Holds(flag is not null, $"{name}");
        return flag;
    }
}
