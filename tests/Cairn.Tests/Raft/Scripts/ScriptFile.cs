using System.Globalization;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>One directive of a script: a command, what it is given, and what it is expected to print.</summary>
/// <param name="Line">Where the directive stands, from 1.</param>
/// <param name="Command">The first word.</param>
/// <param name="Arguments">The other words: a key with no, one or several values.</param>
/// <param name="Input">The lines before the dashes.</param>
/// <param name="Expected">The lines after them.</param>
internal sealed record ScriptDirective(int Line, string Command, IReadOnlyList<ScriptArgument> Arguments, string Input, string Expected)
{
    /// <summary>The words without values that are numbers, as places of nodes from 0.</summary>
    public IEnumerable<int> NodePlaces =>
        Arguments.Where(argument => argument.Values.Count == 0).Select(argument => int.Parse(argument.Key, CultureInfo.InvariantCulture) - 1);

    public string? Find(string key) => Arguments.FirstOrDefault(argument => argument.Key == key)?.Values[0];

    public string Require(string key) => Find(key) ?? throw new FormatException($"line {Line}: {Command} needs {key}=");
}

internal sealed record ScriptArgument(string Key, IReadOnlyList<string> Values);

/// <summary>Reads scripts of the form that etcd-io/raft tests itself with.</summary>
/// <remarks>
/// <code>
/// # comment
/// command key key=value key=(value,value)
/// input
/// ----
/// expected output, until an empty line
/// </code>
/// </remarks>
internal static class ScriptFile
{
    public static IReadOnlyList<ScriptDirective> Parse(string text)
    {
        var lines = text.Split('\n');
        var directives = new List<ScriptDirective>();
        for (var i = 0; i < lines.Length;)
        {
            if (lines[i].Length == 0 || lines[i].StartsWith('#'))
            {
                i++;
                continue;
            }

            directives.Add(ParseDirective(lines, ref i));
        }

        return directives;
    }

    private static ScriptDirective ParseDirective(string[] lines, ref int i)
    {
        var line = i + 1;
        var words = ParseWords(lines[i++]);
        var input = new List<string>();
        while (lines[i] != "----")
        {
            input.Add(lines[i++]);
        }

        i++;
        var expected = new List<string>();
        while (i < lines.Length && lines[i].Length > 0)
        {
            expected.Add(lines[i++]);
        }

        return new ScriptDirective(line, words[0].Key, words[1..], string.Join('\n', input), string.Concat(expected.Select(text => text + "\n")));
    }

    private static List<ScriptArgument> ParseWords(string line)
    {
        var words = new List<ScriptArgument>();
        for (var i = 0; i < line.Length;)
        {
            if (line[i] == ' ')
            {
                i++;
                continue;
            }

            var end = EndOfWord(line, i);
            words.Add(ParseWord(line[i..end]));
            i = end;
        }

        return words;
    }

    private static int EndOfWord(string line, int start)
    {
        var depth = 0;
        var end = start;
        while (end < line.Length && (depth > 0 || line[end] != ' '))
        {
            depth += line[end] switch { '(' => 1, ')' => -1, _ => 0 };
            end++;
        }

        return end;
    }

    private static ScriptArgument ParseWord(string word)
    {
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            return new ScriptArgument(word, []);
        }

        var value = word[(equals + 1)..];
        return value.StartsWith('(')
            ? new ScriptArgument(word[..equals], value[1..^1].Split([',', ' '], StringSplitOptions.RemoveEmptyEntries))
            : new ScriptArgument(word[..equals], [value]);
    }
}
