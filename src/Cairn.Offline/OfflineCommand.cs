using System.CommandLine;
using Cairn.Storage;

namespace Cairn.Offline;

/// <summary>What all commands on files have in common: a form of output, and one line for what went wrong.</summary>
public static class OfflineCommand
{
    /// <summary>Gives a command what it does.</summary>
    /// <param name="command">The command.</param>
    /// <param name="run">What it does; returns the exit status.</param>
    /// <returns>The command.</returns>
    public static Command Bind(Command command, Func<ParseResult, CancellationToken, Task<int>> run)
    {
        ArgumentNullException.ThrowIfNull(command);
        command.SetAction(async (parsed, cancelled) =>
        {
            try
            {
                return await run(parsed, cancelled);
            }
            catch (OperationCanceledException) when (cancelled.IsCancellationRequested)
            {
                return 130; // As a shell reports a program that was interrupted.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CorruptionException or OfflineException)
            {
                await Console.Error.WriteLineAsync($"Error: {e.Message}");
                return 1;
            }
        });
        return command;
    }

    /// <summary>Makes the option that says where the log of a member is.</summary>
    /// <returns>The option, with etcd's name.</returns>
    internal static Option<string?> LogDirectory() => new("--wal-dir") { Description = "Directory of the member's log, if it has one of its own." };

    /// <summary>Says whether something is in a directory.</summary>
    /// <param name="directory">Its path; null for none.</param>
    /// <returns>False for one that is empty or not there.</returns>
    internal static bool IsInUse(string? directory) => Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any();

    /// <summary>Makes the option that says how results are written.</summary>
    /// <returns>The option, with etcdutl's names and values.</returns>
    internal static Option<string> WriteOut()
    {
        var option = new Option<string>("--write-out", "-w") { Description = "Form of the output.", DefaultValueFactory = static _ => "simple" };
        option.AcceptOnlyFromAmong([.. ResultTable.Forms]);
        return option;
    }
}

/// <summary>A command cannot do what it was asked; the message names the thing and says what to do.</summary>
/// <param name="message">One line for a person.</param>
public sealed class OfflineException(string message) : Exception(message);
