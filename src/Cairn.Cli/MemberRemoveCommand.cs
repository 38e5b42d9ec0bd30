using System.CommandLine;
using System.Globalization;
using Cairn.Client;
using Cairn.Protocol.Healing;

namespace Cairn.Cli;

/// <summary><c>cairn member remove ID [--forever]</c>: removes a member, and may send it away for good.</summary>
public static class MemberRemoveCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var id = new Argument<string>("ID") { Description = "The member, as etcdctl writes it: hexadecimal." };
        var forever = new Option<bool>("--forever") { Description = "It does not come back by itself, and the cluster is meant to be smaller. Also for a member that was removed before." };
        var command = new Command("remove", "Removes a member.") { id, forever };
        return RemoteCommand.Bind(command, (client, parsed, cancelled) =>
            ulong.TryParse(parsed.GetRequiredValue(id), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong member)
                ? RunAsync(client, member, parsed.GetValue(forever), cancelled)
                : throw new ArgumentException($"{parsed.GetRequiredValue(id)} is no id of a member: those are hexadecimal numbers, as `etcdctl member list` shows them"));
    }

    private static async Task<int> RunAsync(CairnClient client, ulong member, bool forever, CancellationToken cancelled)
    {
        var members = await client.Cluster.ListAsync(cancelled: cancelled).ConfigureAwait(false);
        if (!forever || members.Members.Any(known => known.ID == member))
        {
            await client.Cluster.RemoveAsync(member, cancelled).ConfigureAwait(false);
            await Console.Out.WriteLineAsync($"Member {member:x} removed").ConfigureAwait(false);
        }

        if (forever)
        {
            EvictResponse evicted = await client.Healing.EvictAsync(member, cancelled).ConfigureAwait(false);
            await Console.Out.WriteLineAsync($"It does not come back; the cluster is meant to have {evicted.TargetSize} members").ConfigureAwait(false);
        }

        return 0;
    }
}
