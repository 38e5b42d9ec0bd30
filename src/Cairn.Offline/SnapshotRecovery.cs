using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Offline;

/// <summary>The part of <c>cairn recover</c> that goes on from a snapshot, where no survivor holds more.</summary>
/// <remarks>
/// It makes the directory of one member of a new epoch, alone at first, as a survivor founds one: revisions are raised and all before is compacted, the ids of the old
/// cluster never count again, and each old member leaves a place. So the others need nothing but to be started, empty or not.
/// </remarks>
internal sealed class SnapshotRecovery
{
    private readonly Option<string> _name = new("--name") { Description = "With a snapshot: the member that --data-dir is for.", DefaultValueFactory = static _ => "default" };

    private readonly Option<string> _cluster = new("--initial-cluster")
    {
        Description = "With a snapshot: the members of the lost cluster, as NAME=PEER-URL pairs.",
        DefaultValueFactory = static _ => "default=http://localhost:2380",
    };

    private readonly Option<string> _token = new("--initial-cluster-token") { Description = "With a snapshot: the token of the cluster.", DefaultValueFactory = static _ => "etcd-cluster" };

    /// <summary>Adds the options that say who recovers.</summary>
    /// <param name="command">To what.</param>
    public void AddTo(Command command)
    {
        command.Options.Add(_name);
        command.Options.Add(_cluster);
        command.Options.Add(_token);
    }

    /// <summary>Shows what the snapshot holds and what is lost, asks, and recovers.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="path">The snapshot.</param>
    /// <param name="place">The data directory and that of the log, both empty; null for a log within it.</param>
    /// <param name="isConfirmed">Whether nobody is asked.</param>
    /// <param name="cancelled">Ends it, and leaves a directory that no server takes.</param>
    /// <returns>The exit status.</returns>
    public async Task<int> RunAsync(ParseResult parsed, string path, (string Data, string? Log) place, bool isConfirmed, CancellationToken cancelled)
    {
        var lost = RestorePlan.Of(parsed.GetRequiredValue(_name), parsed.GetRequiredValue(_cluster), parsed.GetRequiredValue(_token));
        using SnapshotFile snapshot = SnapshotFile.Open(path);
        snapshot.VerifyChecksum(new Progress("verifying the checksum", snapshot.ImageLength, Console.Error), cancelled);
        TimeSpan age = TimeProvider.System.GetUtcNow() - File.GetLastWriteTimeUtc(path);
        return await snapshot.ReadAsync(async image =>
        {
            snapshot.VerifyStructure(image);
            long revision = SnapshotSummary.Of(path, image, new Progress("reading", snapshot.ImageLength, Console.Error), cancelled).Revision;
            string loss = string.Create(CultureInfo.InvariantCulture, $"all that was written after revision {revision} is lost");
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: revision {revision}, {TimeSpan.FromSeconds((long)age.TotalSeconds):c} old; {loss}"));
            if (!isConfirmed && !Confirm(path))
            {
                Console.Out.WriteLine("Nothing was changed");
                return 1;
            }

            RestorePlan plan = lost.AsEpoch(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1, Describe(lost, path, revision, loss));
            var state = await new SnapshotRestore(plan, skippedRevisions: 0).RunAsync(path, image, place.Data, place.Log, cancelled);
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{place.Data} founds epoch {plan.ClusterId:x} of cluster {lost.ClusterId:x} from revision {state.Revision}: start its server. The other members are taken in as they are started, with the flags that they had, on empty directories or on those of the lost cluster"));
            return 0;
        });
    }

    private static bool Confirm(string path)
    {
        Console.Out.Write($"Found a new epoch from {path}, and give up what the old members may still hold for ever? Type yes: ");
        return Console.In.ReadLine()?.Trim() == "yes";
    }

    private static HealRecord Describe(RestorePlan lost, string path, long revision, string loss)
    {
        long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var self = lost.Members.Single(member => member.Id == lost.MemberId);
        return new HealRecord
        {
            Kind = HealKind.FoundEpoch,
            Name = self.Name,
            PeerUrls = self.PeerUrls,
            Detected = $"cluster {lost.ClusterId:x} was lost with all its data",
            Evidence = string.Create(CultureInfo.InvariantCulture, $"a person says so; {Path.GetFileName(path)} has revision {revision}"),
            Decision = $"found a new epoch from the snapshot on {self.Name}; a person decided",
            Safety = "members of the old epoch are fenced for ever",
            Outcome = HealOutcome.Healed,
            Result = loss,
            BeganAtMs = now,
            EndedAtMs = now,
        };
    }
}
