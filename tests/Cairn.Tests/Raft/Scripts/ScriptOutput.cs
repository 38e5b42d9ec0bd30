using System.Text;
using Cairn.Raft;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>Collects what a directive prints, and between it what the cores narrate.</summary>
internal sealed class ScriptOutput : IRaftTrace
{
    private static readonly string[] Levels = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"];

    private StringBuilder _text = new();

    /// <summary>Place in the list of levels below which narration is left out; the last one leaves out everything.</summary>
    public int Level { get; set; }

    public bool IsQuiet => Level == Levels.Length - 1;

    public bool IsEmpty => _text.Length == 0;

    public void Clear() => _text.Clear();

    public bool TrySetLevel(string name)
    {
        var level = Array.FindIndex(Levels, known => string.Equals(known, name, StringComparison.OrdinalIgnoreCase));
        Level = level < 0 ? Level : level;
        return level >= 0;
    }

    public void Print(string text)
    {
        if (!IsQuiet)
        {
            _text.Append(text);
        }
    }

    public void PrintLine(string text) => Print(text + "\n");

    public void Write(RaftTraceLevel level, string line)
    {
        if (Level <= (int)level)
        {
            _text.Append(Levels[(int)level]).Append(' ').Append(line).Append('\n');
        }
    }

    /// <summary>Runs an action whose output is set in by two spaces.</summary>
    public string? Indented(Func<string?> action)
    {
        var outer = _text;
        _text = new StringBuilder();
        var error = action();
        var inner = _text.ToString();
        _text = outer;
        foreach (var line in inner.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            _text.Append("  ").Append(line).Append('\n');
        }

        return error;
    }

    public override string ToString() => _text.ToString();
}
