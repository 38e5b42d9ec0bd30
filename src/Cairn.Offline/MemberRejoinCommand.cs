using System.CommandLine;

namespace Cairn.Offline;

/// <summary><c>cairn member rejoin --data-dir DIR</c>: lets a member that was sent away ask its cluster for a new place.</summary>
/// <remarks>Whoever may write in the data directory may do this; the process that waits there, or the next one, finds the wish.</remarks>
public static class MemberRejoinCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Option<string> directory = QuarantineCommand.DataDirectory();
        var command = new Command("rejoin", "Lets a member that was sent away for good ask its cluster for a new place: its data goes to quarantine, and it is fed anew.") { directory };
        return OfflineCommand.Bind(command, (parsed, _) =>
        {
            string member = Path.Combine(parsed.GetRequiredValue(directory), "member");
            if (!Directory.Exists(member))
            {
                throw new IOException($"{member} does not exist: {parsed.GetRequiredValue(directory)} is the data directory of no member");
            }

            File.WriteAllBytes(Path.Combine(member, "rejoin"), []);
            Console.Out.WriteLine("The member asks for a new place: the process that waits there does it now, or else the next one at its start");
            return Task.FromResult(0);
        });
    }
}
