using System.CommandLine;
using System.Security.Cryptography;
using Cairn.Client;

namespace Cairn.Cli;

/// <summary>What all commands that speak to members have in common: options, a client, and one line for what went wrong.</summary>
public static class RemoteCommand
{
    /// <summary>Gives a command its connection options and what it does.</summary>
    /// <param name="command">The command.</param>
    /// <param name="run">What it does; returns the exit status.</param>
    /// <returns>The command.</returns>
    public static Command Bind(Command command, Func<CairnClient, ParseResult, CancellationToken, Task<int>> run)
    {
        ArgumentNullException.ThrowIfNull(command);
        var connection = new ConnectionOptions();
        connection.AddTo(command);
        command.SetAction(async (parsed, cancelled) =>
        {
            try
            {
                var client = new CairnClient(connection.Read(parsed));
                await using (client.ConfigureAwait(false))
                {
                    return await run(client, parsed, cancelled).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (cancelled.IsCancellationRequested)
            {
                return 130; // As a shell reports a program that was interrupted.
            }
            catch (Exception e) when (e is ClientException or IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException or CryptographicException)
            {
                await Console.Error.WriteLineAsync($"Error: {e.Message}").ConfigureAwait(false);
                return 1;
            }
        });
        return command;
    }
}
