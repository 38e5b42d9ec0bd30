namespace Cairn.Host.Operations;

/// <summary>The query of a request, by the rules of Go's url.ParseQuery.</summary>
internal sealed class PageQuery
{
    private readonly List<(string Name, string Value)> _pairs = [];

    /// <param name="text">The query, with or without its question mark.</param>
    public PageQuery(string text)
    {
        foreach (string pair in text.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            _pairs.Add((Decode(equals < 0 ? pair : pair[..equals]), equals < 0 ? "" : Decode(pair[(equals + 1)..])));
        }
    }

    /// <summary>The first value of a name; empty if there is none.</summary>
    public string First(string name) => _pairs.Where(pair => pair.Name == name).Select(static pair => pair.Value).FirstOrDefault("");

    /// <summary>All values of a name that are not empty.</summary>
    public HashSet<string> All(string name) =>
        _pairs.Where(pair => pair.Name == name && pair.Value.Length > 0).Select(static pair => pair.Value).ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether a name is there, with or without a value.</summary>
    public bool Has(string name) => _pairs.Any(pair => pair.Name == name);

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
