using System.Text.Json.Nodes;

namespace Cairn.EndToEnd.Differential;

/// <summary>What a server answered, in one form for both ways of asking.</summary>
/// <param name="Http">Status of HTTP.</param>
/// <param name="Code">Code of gRPC; -1 where the answer has none.</param>
/// <param name="Text">What the refusal says.</param>
/// <param name="Body">The message; null of a refusal.</param>
internal sealed record Reply(int Http, int Code, string Text, JsonNode? Body)
{
    /// <summary>How the text of an answer begins that never came: the server ended the connection, or itself.</summary>
    public const string NoAnswer = "no answer";

    /// <summary>Whether no answer came.</summary>
    public bool IsMissing => Text.StartsWith(NoAnswer, StringComparison.Ordinal);

    /// <summary>The body without what two servers cannot have in common, as text.</summary>
    public string Compared { get; } = Normal.TextOf(Body);

    /// <summary>The revision in the header; 0 without one.</summary>
    public long Revision => long.TryParse((Body as JsonObject)?["header"]?["revision"]?.ToString(), out var revision) ? revision : 0;

    /// <summary>Whether two answers are the same one.</summary>
    /// <param name="other">The other.</param>
    /// <returns>True if nothing differs that a client could act on.</returns>
    public bool IsAs(Reply other) => Http == other.Http && Code == other.Code && Sorted(Text) == Sorted(other.Text) && Compared == other.Compared;

    // Pages of checks list them in an order that etcd draws anew for each.
    private static string Sorted(string text) => string.Join('\n', text.Split('\n').Order(StringComparer.Ordinal));

    /// <inheritdoc/>
    public override string ToString() => $"{Http} code {Code} \"{Text}\" {Compared}";
}
