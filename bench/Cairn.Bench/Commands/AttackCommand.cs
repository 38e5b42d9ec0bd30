using System.CommandLine;
using Cairn.Bench.Broken;

namespace Cairn.Bench.Commands;

/// <summary><c>attack</c>: the process that <c>broken</c> starts to flood a server.</summary>
internal static class AttackCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var command = new Command(Attacker.Command, "Floods what the lines of its input say; started by broken.") { Hidden = true };
        command.SetAction(static async (_, _) =>
        {
            await Attacker.ServeAsync(Console.In, Console.Out);
            return 0;
        });
        return command;
    }
}
