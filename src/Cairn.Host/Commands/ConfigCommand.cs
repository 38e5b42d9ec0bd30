using System.Collections;
using System.CommandLine;
using System.Text;
using Cairn.Host.Flags;

namespace Cairn.Host.Commands;

/// <summary><c>cairn config show</c>: what a server is told, flag by flag, and by whom: the command line, the environment, a file, or nobody.</summary>
internal static class ConfigCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build()
    {
        var process = new Option<int?>("--pid") { Description = "A running server, whose command line and environment are read; without it, those of this command." };
        var changed = new Option<bool>("--set") { Description = "Only flags that somebody set." };
        var show = new Command("show", "Prints every flag with its value and where it is from. Flags of the server that follow are read as the server would.") { process, changed };
        show.TreatUnmatchedTokensAsErrors = false;
        show.SetAction(parsed => Show(parsed.GetValue(process), parsed.GetValue(changed), [.. parsed.UnmatchedTokens]));
        return new Command("config", "Explains a server's configuration.") { show };
    }

    /// <summary>The flags as lines: name, value, origin.</summary>
    /// <param name="values">The values.</param>
    /// <param name="onlySet">Whether to leave out what nobody set.</param>
    /// <returns>One line for each flag.</returns>
    internal static IEnumerable<string> Lines(FlagValues values, bool onlySet) =>
        from flag in FlagTable.Groups.SelectMany(static grouped => grouped.Flags).OrderBy(static flag => flag.Name, StringComparer.Ordinal)
        let origin = values.OriginOf(flag.Name)
        where origin is not null || (!onlySet && !flag.Hidden)
        select $"{flag.Name,-45} {Quoted(values.Text(flag.Name)),-40} {origin ?? "default"}{EffectOf(flag)}";

    private static int Show(int? process, bool onlySet, string[] arguments)
    {
        Configuration configuration;
        CommandLine line;
        try
        {
            string directory = process is null ? "." : $"/proc/{process}/cwd";
            line = CommandLine.Parse(process is null ? arguments : [.. Words(process.Value, "cmdline").Skip(1)]);
            configuration = Configuration.Gather(line, Variables(process), file => File.ReadAllText(Path.Combine(directory, file)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"Error: process {process} cannot be looked at: {e.Message}");
            return 1;
        }

        foreach (string text in Lines(configuration.Values, onlySet))
        {
            Console.Out.WriteLine(text);
        }

        string? fault = line.Outcome == CommandLineOutcome.Wrong ? line.Fault
            : configuration.Environment.Conflict is { } conflict ? $"{conflict} and its flag are both set; take one away"
            : configuration.Fault ?? ProcessOptionsReader.Fault(configuration.Values);
        if (fault is not null)
        {
            Console.Error.WriteLine($"Error: a server would not start with this: {fault}");
        }

        return fault is null ? 0 : 1;
    }

    private static string Quoted(string value) => value.Length == 0 ? "\"\"" : value;

    private static string EffectOf(FlagDefinition flag) => flag.Effect switch
    {
        FlagEffect.NotNeeded => " (not needed here)",
        FlagEffect.Absent => " (not there)",
        _ => "",
    };

    private static Dictionary<string, string> Variables(int? process) => process is null
        ? Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(static entry => (string)entry.Key, static entry => (string?)entry.Value ?? "", StringComparer.Ordinal)
        : Words(process.Value, "environ").Select(static word => word.Split('=', 2)).Where(static pair => pair.Length == 2)
            .DistinctBy(static pair => pair[0]).ToDictionary(static pair => pair[0], static pair => pair[1], StringComparer.Ordinal);

    private static string[] Words(int process, string file) =>
        Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{process}/{file}")).TrimEnd('\0').Split('\0');
}
