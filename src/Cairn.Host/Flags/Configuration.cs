namespace Cairn.Host.Flags;

/// <summary>Where the values of the flags come from: a file alone, or the command line and the environment together.</summary>
/// <param name="Values">The values.</param>
/// <param name="Environment">What the environment had to say; nothing if a file was read.</param>
/// <param name="Fault">Why the process cannot start; null if it can.</param>
internal sealed record Configuration(FlagValues Values, EnvironmentOutcome Environment, string? Fault)
{
    /// <summary>Path of the file that was read; null if none was.</summary>
    public string? File { get; init; }

    /// <summary>Keys of the file that no flag has.</summary>
    public IReadOnlyList<string> UnknownKeys { get; init; } = [];

    /// <summary>Gathers the values.</summary>
    /// <param name="line">The command line.</param>
    /// <param name="variables">The environment.</param>
    /// <param name="readFile">Reads the text of a file.</param>
    public static Configuration Gather(CommandLine line, IReadOnlyDictionary<string, string> variables, Func<string, string> readFile)
    {
        string? stray = line.Outcome == CommandLineOutcome.Stray ? line.Fault : null;
        string? file = line.ConfigFile ?? (variables.GetValueOrDefault(EnvironmentFlags.ConfigFile) is { Length: > 0 } variable ? variable : null);
        if (file is not null)
        {
            return FromFile(file, stray, readFile);
        }

        EnvironmentOutcome environment = EnvironmentFlags.Apply(variables, line);
        return new Configuration(line.Values, environment, stray ?? environment.Fault);
    }

    private static Configuration FromFile(string file, string? stray, Func<string, string> readFile)
    {
        var values = new FlagValues();
        IReadOnlyList<string> unknown = [];
        string? fault;
        try
        {
            fault = ConfigFile.Read(readFile(file), values, out unknown);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e.Message;
        }

        return new Configuration(values, new EnvironmentOutcome(Fault: null, Conflict: null, [], []), stray ?? fault) { File = file, UnknownKeys = unknown };
    }
}
