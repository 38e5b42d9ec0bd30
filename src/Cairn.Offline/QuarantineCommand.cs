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
        return OfflineCommand.Bind(new Command("list", "Lists what is in quarantine: name and bytes.") { directory }, (parsed, _) =>
        {
            string root = RootOf(parsed.GetRequiredValue(directory));
            string[] entries = Directory.Exists(root) ? Directory.GetDirectories(root) : [];
            foreach (string entry in entries.Order(StringComparer.Ordinal))
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(entry)}\t{BytesOf(entry)}"));
            }

            return Task.FromResult(0);
        });
    }

    private static Command BuildDrop()
    {
        Option<string> directory = DataDirectory();
        var name = new Argument<string>("NAME") { Description = "One of those that are listed." };
        return OfflineCommand.Bind(new Command("drop", "Deletes one of those that are listed, for ever.") { directory, name }, (parsed, _) =>
        {
            string dropped = parsed.GetRequiredValue(name);
            string path = Path.Combine(RootOf(parsed.GetRequiredValue(directory)), dropped);
            if (dropped != Path.GetFileName(dropped) || dropped is "" or "." or ".." || !Directory.Exists(path))
            {
                throw new IOException($"{dropped} is not in quarantine: `cairn quarantine list` shows what is");
            }

            long bytes = BytesOf(path);
            Directory.Delete(path, recursive: true);
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{dropped} deleted, {bytes} bytes"));
            return Task.FromResult(0);
        });
    }

    private static string RootOf(string dataDirectory) => Path.Combine(dataDirectory, "quarantine");

    private static long BytesOf(string directory) => new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length);
}
