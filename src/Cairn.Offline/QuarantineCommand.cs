using System.CommandLine;
using System.Globalization;

namespace Cairn.Offline;

/// <summary><c>cairn quarantine list | drop NAME</c>: what healing moved aside. The server itself never deletes any of it.</summary>
public static class QuarantineCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build() => new("quarantine", "Lists and deletes what healing moved aside. The server itself never deletes any of it.")
    {
        BuildList(),
        BuildDrop(),
    };

    internal static Option<string> DataDirectory() => new("--data-dir") { Description = "The data directory of the member.", Required = true };

    private static Command BuildList()
    {
        Option<string> directory = DataDirectory();
        Option<string?> log = OfflineCommand.LogDirectory();
        return OfflineCommand.Bind(new Command("list", "Lists what is in quarantine: name and bytes.") { directory, log }, (parsed, _) =>
        {
            IEnumerable<string> entries = Roots(parsed.GetRequiredValue(directory), parsed.GetValue(log)).Where(Directory.Exists).SelectMany(Directory.GetDirectories);
            foreach (var entry in entries.GroupBy(static entry => Path.GetFileName(entry), StringComparer.Ordinal).OrderBy(static entry => entry.Key, StringComparer.Ordinal))
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{entry.Key}\t{entry.Sum(BytesOf)}"));
            }

            return Task.FromResult(0);
        });
    }

    private static Command BuildDrop()
    {
        Option<string> directory = DataDirectory();
        Option<string?> log = OfflineCommand.LogDirectory();
        var name = new Argument<string>("NAME") { Description = "One of those that are listed." };
        return OfflineCommand.Bind(new Command("drop", "Deletes one of those that are listed, for ever.") { directory, log, name }, (parsed, _) =>
        {
            string dropped = parsed.GetRequiredValue(name);
            string[] paths = [.. Roots(parsed.GetRequiredValue(directory), parsed.GetValue(log)).Select(root => Path.Combine(root, dropped)).Where(Directory.Exists)];
            if (dropped != Path.GetFileName(dropped) || dropped is "" or "." or ".." || paths.Length == 0)
            {
                throw new IOException($"{dropped} is not in quarantine: `cairn quarantine list` shows what is");
            }

            long bytes = paths.Sum(BytesOf);
            Array.ForEach(paths, static path => Directory.Delete(path, recursive: true));
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{dropped} deleted, {bytes} bytes"));
            return Task.FromResult(0);
        });
    }

    /// <summary>A log in a directory of its own has a quarantine of its own there.</summary>
    private static IEnumerable<string> Roots(string dataDirectory, string? logDirectory) =>
        new[] { dataDirectory, logDirectory }.OfType<string>().Select(static directory => Path.Combine(directory, "quarantine"));

    private static long BytesOf(string directory) => new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length);
}
