namespace Cairn.Host.Flags;

/// <summary>What reading the command line came to.</summary>
internal enum CommandLineOutcome
{
    /// <summary>Flags were read.</summary>
    Flags,

    /// <summary>Help was asked for.</summary>
    Help,

    /// <summary>The version was asked for.</summary>
    Version,

    /// <summary>A flag is wrong; the process ends with status 2.</summary>
    Wrong,

    /// <summary>Something that is no flag stands where one should; the process ends with status 1.</summary>
    Stray,
}

/// <summary>Reads a command line by the rules of Go's flag package: one dash or two, value after = or as the next word, switches alone or with =.</summary>
/// <remarks>Source: https://pkg.go.dev/flag, "Command line flag syntax".</remarks>
internal sealed class CommandLine
{
    /// <summary>What came of it.</summary>
    public CommandLineOutcome Outcome { get; private set; }

    /// <summary>What is wrong, in Go's words; empty if nothing is.</summary>
    public string Fault { get; private set; } = "";

    /// <summary>Path of the configuration file; null if none is given.</summary>
    public string? ConfigFile { get; private set; }

    /// <summary>The values that were set.</summary>
    public FlagValues Values { get; } = new();

    /// <summary>Spellings that were used, for the rule that environment and command line must not set the same one.</summary>
    public HashSet<string> Used { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads the arguments.</summary>
    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        var line = new CommandLine();
        int next = 0;
        while (next < arguments.Count && line.Outcome == CommandLineOutcome.Flags)
        {
            string argument = arguments[next++];
            if (argument == "--")
            {
                line.CheckStray(arguments, next);
                break;
            }

            if (argument.Length < 2 || argument[0] != '-')
            {
                line.CheckStray(arguments, next - 1);
                break;
            }

            line.Take(argument, arguments, ref next);
        }

        return line;
    }

    private void CheckStray(IReadOnlyList<string> arguments, int next)
    {
        if (next < arguments.Count)
        {
            Outcome = CommandLineOutcome.Stray;
            Fault = $"\"{arguments[next]}\" is not a valid flag";
        }
    }

    private void Take(string argument, IReadOnlyList<string> arguments, ref int next)
    {
        string body = argument[(argument[1] == '-' ? 2 : 1)..];
        if (body.Length == 0 || body[0] is '-' or '=')
        {
            Refuse($"bad flag syntax: {argument}");
            return;
        }

        int equals = body.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? body : body[..equals];
        string? value = equals < 0 ? null : body[(equals + 1)..];
        if (TakeSpecial(name, value, arguments, ref next))
        {
            return;
        }

        if (FlagTable.Find(name) is not { } flag)
        {
            Refuse($"flag provided but not defined: -{name}", FlagTable.Nearest(name) is { } near ? $"did you mean --{near}?" : null);
            return;
        }

        value ??= flag.Kind == FlagKind.Switch ? "true" : next < arguments.Count ? arguments[next++] : null;
        Keep(flag, name, value);
    }

    private bool TakeSpecial(string name, string? value, IReadOnlyList<string> arguments, ref int next)
    {
        switch (name)
        {
            case "h" or "help":
                Outcome = CommandLineOutcome.Help;
                return true;
            case "version":
                Outcome = value is null || (FlagValue.TryBool(value, out bool asked) && asked) ? CommandLineOutcome.Version : CommandLineOutcome.Flags;
                return true;
            case "config-file":
                ConfigFile = value ?? (next < arguments.Count ? arguments[next++] : null);
                if (ConfigFile is null)
                {
                    Refuse($"flag needs an argument: -{name}");
                }

                return true;
            default:
                return false;
        }
    }

    private void Keep(FlagDefinition flag, string name, string? value)
    {
        if (value is null)
        {
            Refuse($"flag needs an argument: -{name}");
        }
        else if (FlagValue.Fault(flag, value) is { } fault)
        {
            Refuse(flag.Kind == FlagKind.Switch ? $"invalid boolean value \"{value}\" for -{name}: {fault}" : $"invalid value \"{value}\" for flag -{name}: {fault}");
        }
        else
        {
            Values.Set(flag, value, "command line");
            Used.Add(name);
        }
    }

    private void Refuse(string fault, string? advice = null)
    {
        Outcome = CommandLineOutcome.Wrong;
        Fault = advice is null ? fault : $"{fault}\n{advice}";
    }
}
