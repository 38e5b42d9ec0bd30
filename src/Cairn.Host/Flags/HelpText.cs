using System.Text;
using Cairn.Host.Commands;

namespace Cairn.Host.Flags;

/// <summary>What --help prints.</summary>
internal static class HelpText
{
    /// <summary>How to start the server, and a way in for those who have never done so.</summary>
    public static readonly string Usage = $$"""
        Usage:

          cairn [flags]
            Start a server. Without flags it serves clients on http://localhost:2379 and keeps its data in ./default.etcd.

          cairn COMMAND [options]
            Do something with a cluster or with files: {{string.Join(", ", SubCommands.Tree().Subcommands.Select(static command => command.Name))}}.
            'cairn COMMAND --help' explains each.

          cairn --version
            Show the version.

          cairn -h | --help
            Show this help.

          cairn --config-file PATH
            Read the configuration from a YAML file; all other flags and ETCD_ variables are then ignored.

        First steps:

          cairn &
          etcdctl put greeting hello
          etcdctl get greeting

        Each flag can be set by an environment variable too: --data-dir by ETCD_DATA_DIR. One that is set by both stops the start.
        Flags are those of etcd; those marked (accepted) change nothing here.
        """;

    /// <summary>All groups of flags, with defaults and help.</summary>
    public static string Flags()
    {
        var text = new StringBuilder();
        foreach (FlagGroup group in FlagTable.Groups)
        {
            text.Append('\n').Append(group.Title).Append('\n');
            foreach (FlagDefinition flag in group.Flags.Where(static flag => !flag.Hidden))
            {
                text.Append("  --").Append(flag.Name).Append(" '").Append(flag.Default).Append("'\n    ").Append(flag.Help);
                text.Append(flag.Effect == FlagEffect.Works ? "\n" : " (accepted)\n");
            }
        }

        return text.Append("\nCAUTIOUS with unsafe flags! They may break the guarantees given by the consensus protocol!\n").ToString();
    }
}
