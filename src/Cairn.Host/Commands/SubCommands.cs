using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Cairn.Cli;
using Cairn.Offline;

namespace Cairn.Host.Commands;

/// <summary>The commands beside the server: <c>cairn COMMAND …</c>. Those that speak to members are Cairn.Cli's, those that work on files Cairn.Offline's.</summary>
internal static class SubCommands
{
    /// <summary>Says whether the arguments name a command; without one, and with flags alone, they are the server's.</summary>
    /// <param name="arguments">The command line.</param>
    /// <returns>True if the first word is a command's name.</returns>
    public static bool IsNamedBy(string[] arguments)
    {
        return arguments is [var word, ..] && !word.StartsWith('-') && Tree().Subcommands.Any(command => command.Name == word);
    }

    /// <summary>Runs a command.</summary>
    /// <param name="arguments">The command line, from the command's name on.</param>
    /// <returns>The exit status: 0, or 1 with one line on standard error, or 2 for a command line that is wrong.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        ParseResult parsed = Tree().Parse(arguments);
        if (parsed.Errors is [var wrong, ..] && parsed.Action is ParseErrorAction)
        {
            await Console.Error.WriteLineAsync($"Error: {wrong.Message}");
            await Console.Error.WriteLineAsync($"Run '{PathOf(parsed.CommandResult)} --help' to see what it takes.");
            return 2;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }

    /// <summary>All commands.</summary>
    internal static RootCommand Tree() => new("A strongly consistent key-value store that speaks etcd v3. Without a command: the server.")
    {
        new Command("snapshot", "Saves a member's data to a file, looks at such files, and restores them.")
        {
            SnapshotSaveCommand.Build(),
            SnapshotStatusCommand.Build(),
            SnapshotRestoreCommand.Build(),
        },
        CheckCommand.Build(),
        DumpCommand.Build(),
        ExportCommand.Build(),
        HashKvCommand.Build(),
        HealCommand.Build(),
        new Command("member", "Removes members, and takes those back that were sent away.")
        {
            MemberRemoveCommand.Build(),
            MemberRejoinCommand.Build(),
        },
        QuarantineCommand.Build(),
        RecoverCommand.Build(),
        GatewayCommand.Build(),
        GrpcProxyCommand.Build(),
        ConfigCommand.Build(),
    };

    private static string PathOf(CommandResult command)
    {
        var words = new List<string>();
        for (SymbolResult? at = command; at is CommandResult { Command: not RootCommand } named; at = at.Parent)
        {
            words.Insert(0, named.Command.Name);
        }

        return string.Join(' ', ["cairn", .. words]);
    }
}
