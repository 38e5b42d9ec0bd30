using System.Text.Json;

namespace Cairn.Host.Flags;

/// <summary>
/// Reads the part of YAML that configuration files of etcd use: a mapping of scalars, lists of scalars and mappings of the same; or JSON.
/// </summary>
/// <remarks>
/// Worked example: <c>client-transport-security:\n  cert-file: 'a'</c> gives the pair <c>client-transport-security.cert-file</c>, <c>a</c>; a list gives its
/// items separated by commas. Pure; any thread.
/// </remarks>
internal static class FlatYaml
{
    /// <summary>Reads a text.</summary>
    /// <param name="text">The file.</param>
    /// <param name="pairs">Dotted names and values, in order; empty values and null are left out.</param>
    /// <returns>What is wrong, with its line; null if nothing is.</returns>
    public static string? Parse(string text, out List<KeyValuePair<string, string>> pairs)
    {
        pairs = [];
        return text.TrimStart().StartsWith('{') ? ParseJson(text, pairs) : ParseBlock(text, pairs);
    }

    private static string? ParseJson(string text, List<KeyValuePair<string, string>> pairs)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            Flatten("", document.RootElement, pairs);
            return null;
        }
        catch (JsonException e)
        {
            return $"error converting YAML to JSON: {e.Message}";
        }
    }

    private static void Flatten(string name, JsonElement element, List<KeyValuePair<string, string>> pairs)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    Flatten(name.Length == 0 ? property.Name : $"{name}.{property.Name}", property.Value, pairs);
                }

                break;
            case JsonValueKind.Array:
                Add(pairs, name, string.Join(',', element.EnumerateArray().Select(static item => item.ToString())));
                break;
            case JsonValueKind.True or JsonValueKind.False:
                Add(pairs, name, element.GetBoolean() ? "true" : "false");
                break;
            default:
                Add(pairs, name, element.ToString());
                break;
        }
    }

    private static string? ParseBlock(string text, List<KeyValuePair<string, string>> pairs)
    {
        var parents = new Stack<(int Indent, string Name)>();
        var list = new List<string>();
        string listName = "";
        int number = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            string line = WithoutComment(raw).TrimEnd();
            string content = line.TrimStart();
            if (content.Length == 0 || content is "---" or "...")
            {
                continue;
            }

            if (content[0] == '-' && (content.Length == 1 || content[1] == ' '))
            {
                list.Add(Scalar(content[1..].Trim()));
                continue;
            }

            Add(pairs, listName, string.Join(',', list));
            list.Clear();
            if (!TrySplit(content, out string key, out string value))
            {
                return $"error converting YAML to JSON: yaml: line {number}: could not find expected ':'";
            }

            int indent = line.Length - content.Length;
            while (parents.TryPeek(out (int Indent, string Name) parent) && parent.Indent >= indent)
            {
                parents.Pop();
            }

            listName = parents.TryPeek(out (int Indent, string Name) above) ? $"{above.Name}.{key}" : key;
            parents.Push((indent, listName));
            Add(pairs, listName, Value(value));
        }

        Add(pairs, listName, string.Join(',', list));
        return null;
    }

    private static bool TrySplit(string content, out string key, out string value)
    {
        int colon = content.IndexOf(": ", StringComparison.Ordinal);
        colon = colon < 0 && content.EndsWith(':') ? content.Length - 1 : colon;
        key = colon < 0 ? "" : Scalar(content[..colon].Trim());
        value = colon < 0 ? "" : content[(colon + 1)..].Trim();
        return key.Length > 0;
    }

    private static string Value(string value) => value.StartsWith('[') && value.EndsWith(']')
        ? string.Join(',', value[1..^1].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Scalar))
        : Scalar(value);

    private static string Scalar(string text)
    {
        if (text.Length >= 2 && text[0] == '\'' && text[^1] == '\'')
        {
            return text[1..^1].Replace("''", "'", StringComparison.Ordinal);
        }

        if (text.Length >= 2 && text[0] == '"' && text[^1] == '"')
        {
            return text[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal);
        }

        return text is "null" or "~" or "{}" or "[]" ? "" : text;
    }

    private static string WithoutComment(string line)
    {
        char quote = '\0';
        for (int i = 0; i < line.Length; i++)
        {
            char current = line[i];
            if (quote != '\0')
            {
                quote = current == quote ? '\0' : quote;
            }
            else if (current is '\'' or '"')
            {
                quote = current;
            }
            else if (current == '#' && (i == 0 || char.IsWhiteSpace(line[i - 1])))
            {
                return line[..i];
            }
        }

        return line;
    }

    private static void Add(List<KeyValuePair<string, string>> pairs, string name, string value)
    {
        if (value.Length > 0)
        {
            pairs.Add(new(name, value));
        }
    }
}
