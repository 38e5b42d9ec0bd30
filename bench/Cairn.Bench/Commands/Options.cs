using System.CommandLine;

namespace Cairn.Bench.Commands;

/// <summary>Short forms of the options that are used most.</summary>
internal static class Options
{
    public static Option<long> Number(string name, long value, string description) =>
        new(name) { Description = description, DefaultValueFactory = _ => value };

    public static Option<int> Size(string name, int value, string description) =>
        new(name) { Description = description, DefaultValueFactory = _ => value };

    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    public static Option<string> Text(string name, string value, string description) =>
        new(name) { Description = description, DefaultValueFactory = _ => value };

    /// <summary>A time in Go's form: <c>300ms</c>, <c>1m30s</c>; 0 is none.</summary>
    public static Option<TimeSpan> Time(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = static result =>
        {
            if (GoDuration.TryParse(result.Tokens[0].Value, out var duration) && duration >= TimeSpan.Zero)
            {
                return duration;
            }

            result.AddError($"{result.Tokens[0].Value} is not a duration such as 300ms, 10s or 1m30s");
            return default;
        },
    };
}
