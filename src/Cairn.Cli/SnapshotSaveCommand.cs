using System.CommandLine;
using System.Globalization;
using Cairn.Client;

namespace Cairn.Cli;

/// <summary><c>cairn snapshot save FILE</c>: a copy of all that one member stores, as it was at one moment.</summary>
public static class SnapshotSaveCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "Where the snapshot goes. It appears under this name only when it is whole." };
        var command = new Command("save", "Saves a snapshot of a running member. The file is etcd's: etcdutl reads it too, and any etcd member may be asked for one.")
        {
            file,
        };
        return RemoteCommand.Bind(command, (client, parsed, cancelled) => RunAsync(client, parsed.GetRequiredValue(file), cancelled));
    }

    private static async Task<int> RunAsync(CairnClient client, string file, CancellationToken cancelled)
    {
        if (client.Endpoints is not [var endpoint])
        {
            throw new ArgumentException("a snapshot is one member's: name that one with --endpoints");
        }

        // As etcdctl does: the name with the suffix is what an interrupted save leaves behind.
        string part = file + ".part";
        long bytes;
        var stream = new SteadyFile(part);
        await using (stream.ConfigureAwait(false))
        {
            var progress = new ProgressStream(stream, Console.Error);
            await using (progress.ConfigureAwait(false))
            {
                bytes = await client.Maintenance.SnapshotAsync(endpoint.ToString(), progress, cancelled).ConfigureAwait(false);
            }

            stream.Flush(flushToDisk: true);
        }

        File.Move(part, file, overwrite: true);
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"Snapshot saved at {file} ({bytes} bytes)")).ConfigureAwait(false);
        return 0;
    }
}
