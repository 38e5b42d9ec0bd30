using Cairn.Host.Commands;
using Xunit;

namespace Cairn.Tests.Host;

/// <summary>Which command lines are the server's and which are a command's.</summary>
public sealed class SubCommandsTests
{
    [Theory]
    [InlineData]
    [InlineData("--name", "snapshot")]
    [InlineData("-h")]
    [InlineData("--version")]
    [InlineData("Snapshot")]
    [InlineData("no-command")]
    public void Flags_and_unknown_words_are_the_servers(params string[] arguments) => Assert.False(SubCommands.IsNamedBy(arguments));

    [Fact]
    public void A_commands_name_as_the_first_word_is_that_command() => Assert.True(SubCommands.IsNamedBy(["snapshot", "status", "file"]));

    [Fact]
    public void Every_command_and_every_option_says_what_it_is_for()
    {
        var silent = new List<string>();
        Collect(SubCommands.Tree(), silent);
        Assert.Empty(silent);
    }

    private static void Collect(System.CommandLine.Command command, List<string> silent)
    {
        silent.AddRange(command.Options.Where(static option => string.IsNullOrEmpty(option.Description)).Select(option => $"{command.Name} {option.Name}"));
        silent.AddRange(command.Arguments.Where(static argument => string.IsNullOrEmpty(argument.Description)).Select(argument => $"{command.Name} {argument.Name}"));
        foreach (var inner in command.Subcommands)
        {
            if (string.IsNullOrEmpty(inner.Description))
            {
                silent.Add(inner.Name);
            }

            Collect(inner, silent);
        }
    }
}
