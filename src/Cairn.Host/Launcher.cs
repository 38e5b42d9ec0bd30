using System.Collections;
using Cairn.Host.Commands;
using Cairn.Host.Discovery;
using Cairn.Host.Flags;
using Cairn.Host.Logging;

namespace Cairn.Host;

/// <summary>Reads the command line and the environment, and starts what they ask for: a server, or a command. Exit status: 2 for a wrong flag, 1 for what prevents the start.</summary>
internal static class Launcher
{
    /// <summary>Runs the process.</summary>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (SubCommands.IsNamedBy(arguments))
        {
            return await SubCommands.RunAsync(arguments);
        }

        var line = CommandLine.Parse(arguments);
        switch (line.Outcome)
        {
            case CommandLineOutcome.Help:
                Console.Error.WriteLine(HelpText.Usage);
                Console.Out.WriteLine(HelpText.Flags());
                return 0;
            case CommandLineOutcome.Version:
                Console.Out.Write(Versions.Text);
                return 0;
            case CommandLineOutcome.Wrong:
                Console.Error.WriteLine(line.Fault);
                Console.Error.WriteLine("Run 'cairn --help' for all flags.");
                return 2;
        }

        TimeProvider time = TimeProvider.System;
        Configuration configuration = Configuration.Gather(line, EnvironmentVariables(), File.ReadAllText);
        FlagValues values = configuration.Values;
        LogSink sink;
        try
        {
            sink = new LogSink(values.Words("log-outputs"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }

        using (sink)
        {
            using var loggers = new ZapLoggerFactory(sink, time, ZapLoggerFactory.LevelOf(values.Text("log-level")), values.Text("log-format") == "console");
            ILogger logger = loggers.CreateLogger("Cairn.Host.Launcher");
            Log.Running(logger, [Environment.ProcessPath ?? "cairn", .. arguments]);
            if (IsRefused(logger, configuration))
            {
                return 1;
            }

            try
            {
                return await StartAsync(values, loggers, logger, time);
            }
            catch (Exception e) when (e is IOException or FlagException or System.Security.Cryptography.CryptographicException)
            {
                Log.StartFailed(logger, e.Message);
                return 1;
            }
        }
    }

    private static Dictionary<string, string> EnvironmentVariables() => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
        .ToDictionary(static entry => (string)entry.Key, static entry => (string?)entry.Value ?? "", StringComparer.Ordinal);

    private static bool IsRefused(ILogger logger, Configuration configuration)
    {
        EnvironmentOutcome environment = configuration.Environment;
        if (environment.Conflict is { } conflict)
        {
            Log.VariableShadowed(logger, conflict);
            return true;
        }

        foreach (string variable in environment.Used)
        {
            Log.VariableUsed(logger, variable);
        }

        foreach (string variable in environment.Unrecognized)
        {
            Log.VariableUnrecognized(logger, variable);
        }

        if (configuration.File is { } file)
        {
            Log.FileLoaded(logger, file);
        }

        if (configuration.UnknownKeys.Count > 0)
        {
            Log.KeysUnknown(logger, configuration.UnknownKeys);
        }

        string? fault = configuration.Fault ?? ProcessOptionsReader.Fault(configuration.Values);
        if (fault is not null)
        {
            Log.FlagsWrong(logger, fault);
        }

        return fault is not null;
    }

    private static async Task<int> StartAsync(FlagValues values, ZapLoggerFactory loggers, ILogger logger, TimeProvider time)
    {
        ProcessOptions options = ProcessOptionsReader.Read(values);
        string[] notNeeded = [.. values.SetNames.Where(static name => FlagTable.Find(name)?.Effect == FlagEffect.NotNeeded)];
        string[] absent = [.. values.SetNames.Where(static name => FlagTable.Find(name)?.Effect == FlagEffect.Absent)];
        if (notNeeded.Length + absent.Length > 0)
        {
            Log.FlagsWithoutEffect(logger, notNeeded, absent);
        }

        if (values.Number("bootstrap-defrag-threshold-megabytes") is var threshold and > 0)
        {
            // Space is given back while the member serves, so at start there is never any to be freed.
            Log.DefragmentationSkipped(logger, threshold);
        }

        foreach (string warning in options.Warnings)
        {
            Log.Warn(logger, warning);
        }

        if (values.Text("data-dir").Length == 0)
        {
            Log.DefaultDataDirectory(logger, options.Node.DataDirectory);
        }

        Log.Starting(
            logger,
            Versions.Etcd,
            options.Node.Name,
            options.Node.DataDirectory,
            Texts(options.ListenPeerUrls),
            Texts(options.ListenClientUrls),
            options.Node.ClientUrls,
            Texts(options.ListenMetricsUrls));
        options = options with { Node = await ClusterDiscovery.CompleteAsync(values, options.Node, time, logger) };
        return await new CairnProcess(options, loggers, time).RunAsync();
    }

    private static string[] Texts(IReadOnlyList<EtcdUrl> urls) => [.. urls.Select(static url => url.ToString())];
}
