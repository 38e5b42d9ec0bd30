using System.CommandLine;
using System.Globalization;
using Cairn.Protocol.Peers;
using Cairn.State.Members;
using Google.Protobuf;

namespace Cairn.Offline;

/// <summary><c>cairn recover --data-dir DIR …</c>: shows what is left of a cluster whose majority is gone for good, and lets the best survivor found a new one.</summary>
/// <remarks>
/// Whoever may write in the data directory of a survivor may decide. A server that runs there has written what it knows of the others (member/survey), and finds the
/// decision (member/recover); one that is started later finds it as well. So nothing here changes any data: what can be agreed, the servers agree.
/// </remarks>
public static class RecoverCommand
{
    // A server writes what it knows every ten seconds.
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(60);

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var directories = new Option<string[]>("--data-dir") { Description = "Data directory of a survivor, whose server may run or not; of several, one each. Or, to go on from a snapshot, one that is empty.", Required = true };
        var log = OfflineCommand.LogDirectory();
        var snapshot = new Option<string?>("--snapshot") { Description = "A snapshot: to go on from on an empty --data-dir, or to see whether it holds more than the survivors." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        var command = new Command(
            "recover",
            "Goes on without a majority that is gone for good: shows what each survivor holds and what may be lost, asks, and has the best one found a new epoch. "
            + "Members of the old one that come back are fenced, their data goes to quarantine, and they are fed anew.")
        {
            directories, log, snapshot, yes,
        };
        var recovery = new SnapshotRecovery();
        recovery.AddTo(command);
        return OfflineCommand.Bind(command, async (parsed, cancelled) =>
        {
            string[] named = parsed.GetRequiredValue(directories);
            if (named.Length > 1 && parsed.GetValue(log) is { } apart)
            {
                throw new OfflineException($"--wal-dir {apart}: it goes with one --data-dir only; look at the other members on their own machines");
            }

            if (parsed.GetValue(snapshot) is { } path && named is [var only] && !OfflineCommand.IsInUse(only))
            {
                return await recovery.RunAsync(parsed, path, (only, parsed.GetValue(log)), parsed.GetValue(yes), cancelled);
            }

            return await RunAsync(named, parsed.GetValue(log), (parsed.GetValue(snapshot), parsed.GetValue(yes)), cancelled);
        });
    }

    /// <summary>Shows a survey to a person.</summary>
    /// <param name="survey">The survey.</param>
    /// <returns>Some lines.</returns>
    internal static string Text(RecoverySurvey survey)
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"cluster {survey.ClusterId:x}");
        foreach (Survivor each in survey.Survivors)
        {
            string held = each.HoldsData
                ? string.Create(CultureInfo.InvariantCulture,
                    $"  term {each.LastTerm}, index {each.LastIndex}, revision {each.Revision}; {TimeSpan.FromSeconds(each.IdleMs / 1000):c} old{(each.IsBest ? "  <- founds the new epoch" : "")}")
                : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"  {each.Name,-12} {each.State,-16}{held}");
        }

        return text.AppendLine(survey.Loss).ToString();
    }

    private static async Task<int> RunAsync(string[] directories, string? logDirectory, (string? Snapshot, bool IsConfirmed) options, CancellationToken cancelled)
    {
        var found = new List<(string Directory, RecoverySurvey Survey)>();
        foreach (string directory in directories)
        {
            found.Add((directory, await SurveyAsync(directory, logDirectory)));
        }

        RecoverySurvey survey = Merge(found);
        Console.Out.Write(Text(survey));
        Survivor best = survey.Survivors.First(static each => each.IsBest);
        if (options.Snapshot is { } snapshot)
        {
            await CompareAsync(snapshot, best, cancelled);
        }

        if (!options.IsConfirmed && !Confirm(best))
        {
            Console.Out.WriteLine("Nothing was changed");
            return 1;
        }

        // Where the best survivor is not at hand, a server that runs hands the decision on to it.
        string target = found.FirstOrDefault(each => each.Survey.Survivors[0].MemberId == best.MemberId && each.Survey.AtUnixMs == 0).Directory
            ?? found.FirstOrDefault(static each => each.Survey.AtUnixMs != 0).Directory ?? found[0].Directory;
        var wish = new RecoveryWish { ClusterId = survey.ClusterId, LastTerm = best.LastTerm, LastIndex = best.LastIndex };
        wish.GivenUp.AddRange(survey.Survivors.Where(static each => !each.HoldsData).Select(static each => each.MemberId));
        string path = Path.Combine(target, "member", "recover");
        await File.WriteAllBytesAsync(path + ".tmp", wish.ToByteArray(), cancelled);
        File.Move(path + ".tmp", path, overwrite: true);
        Console.Out.WriteLine(
            $"Decided. The server on {target} founds the new epoch as soon as everybody who answers has agreed: start it if it does not run. `cairn heal status` and its log say how far it is");
        return 0;
    }

    private static bool Confirm(Survivor best)
    {
        Console.Out.Write($"Found a new epoch from {best.Name}, and give up the old members' data for ever? Type yes: ");
        return Console.In.ReadLine()?.Trim() == "yes";
    }

    /// <summary>What a directory says: its server, if one runs there, or its files.</summary>
    private static async Task<RecoverySurvey> SurveyAsync(string directory, string? logDirectory)
    {
        using (var disk = LocalStore.OpenDisk(directory, logDirectory))
        using (IDisposable? held = disk.DirectoryExists("member") ? disk.TryLock("member/lock") : throw new OfflineException($"{directory} is the data directory of no member"))
        {
            if (held is null)
            {
                return ReadSurvey(directory);
            }
        }

        using LocalStore store = await LocalStore.OpenAsync(directory, logDirectory);
        return Describe(logDirectory ?? Path.Combine(directory, "member", "wal"), store);
    }

    private static RecoverySurvey ReadSurvey(string directory)
    {
        string path = Path.Combine(directory, "member", "survey");
        RecoverySurvey? survey = File.Exists(path) ? RecoverySurvey.Parser.ParseFrom(File.ReadAllBytes(path)) : null;
        return survey is null || DateTimeOffset.FromUnixTimeMilliseconds(survey.AtUnixMs) < TimeProvider.System.GetUtcNow() - FreshFor
            ? throw new OfflineException($"the server on {directory} has nothing to recover: it hears a leader, or has not looked for one for long enough; see `cairn heal status`")
            : survey.Obstacle.Length > 0 ? throw new OfflineException($"the server on {directory} cannot recover now: {survey.Obstacle}") : survey;
    }

    private static RecoverySurvey Describe(string logDirectory, LocalStore store)
    {
        MemberTable members = store.State.View.Members;
        ulong self = store.Manifest.Identity.MemberId;
        TimeSpan age = TimeProvider.System.GetUtcNow() - new DirectoryInfo(logDirectory).EnumerateFiles().Max(static file => file.LastWriteTimeUtc);
        var survey = new RecoverySurvey { ClusterId = store.Manifest.Identity.ClusterId };
        survey.Survivors.Add(new Survivor
        {
            Name = members.Find(self)?.Name ?? self.ToString("x", CultureInfo.InvariantCulture),
            MemberId = self,
            State = "holds data",
            HoldsData = true,
            IsLearner = members.Find(self) is { IsLearner: true },
            LastTerm = store.Log.Entries.Count > 0 ? store.Log.Entries[^1].Term : store.State.Applied.Term,
            LastIndex = store.Log.LastIndex,
            AppliedIndex = store.State.Applied.Index,
            Revision = store.State.View.Revision,
            IdleMs = (long)age.TotalMilliseconds,
        });
        survey.Survivors.AddRange(members.Members.Where(member => member.Id != self && !member.IsLearner).Select(static member => new Survivor
        {
            Name = member.Name.Length > 0 ? member.Name : member.Id.ToString("x", CultureInfo.InvariantCulture),
            MemberId = member.Id,
            State = "was not looked at",
        }));
        return survey;
    }

    /// <summary>Puts together what several directories say.</summary>
    private static RecoverySurvey Merge(List<(string Directory, RecoverySurvey Survey)> found)
    {
        RecoverySurvey first = found[0].Survey;
        if (found.FirstOrDefault(each => each.Survey.ClusterId != first.ClusterId) is { Survey: { } other, Directory: { } place })
        {
            throw new OfflineException($"{found[0].Directory} is of cluster {first.ClusterId:x}, {place} of {other.ClusterId:x}: they are recovered one by one");
        }

        var merged = new RecoverySurvey { ClusterId = first.ClusterId };
        merged.Survivors.AddRange(found.SelectMany(static each => each.Survey.Survivors)
            .GroupBy(static each => each.MemberId)
            .Select(static group => group.OrderByDescending(static each => each.HoldsData).ThenByDescending(static each => (each.LastTerm, each.LastIndex)).First().Clone())
            .OrderBy(static each => each.Name, StringComparer.Ordinal));
        List<Survivor> holders = [.. merged.Survivors.Where(static each => each.HoldsData)];
        var (voters, holding) = (merged.Survivors.Count(static each => !each.IsLearner), holders.Count(static each => !each.IsLearner));
        if (holding > voters / 2)
        {
            throw new OfflineException(
                $"{holding} of {voters} voters hold their data ({string.Join(", ", holders.Select(static each => each.Name))}): that is a quorum, so nothing is to be recovered; start them, and the others come back by themselves");
        }

        foreach (Survivor each in merged.Survivors)
        {
            each.IsBest = each == holders.OrderByDescending(static holder => (holder.LastTerm, holder.LastIndex)).ThenBy(static holder => holder.MemberId).First();
        }

        Survivor best = holders.First(static each => each.IsBest);
        IEnumerable<string> lost = merged.Survivors.Where(static each => !each.HoldsData).Select(static each => each.Name);
        merged.Loss = string.Create(CultureInfo.InvariantCulture,
            $"{best.Name} holds most, up to index {best.LastIndex} of term {best.LastTerm}, and knows index {best.AppliedIndex}, revision {best.Revision}, to be committed: ")
            + $"writes that {string.Join(" and ", lost)} acknowledged after that revision cannot be excluded";
        return merged;
    }

    private static async Task CompareAsync(string path, Survivor best, CancellationToken cancelled)
    {
        using SnapshotFile file = SnapshotFile.Open(path);
        long revision = await file.ReadAsync(image =>
        {
            file.VerifyStructure(image);
            return Task.FromResult(SnapshotSummary.Of(path, image, new Progress("reading", file.ImageLength, Console.Error), cancelled).Revision);
        });
        if (revision > best.Revision)
        {
            throw new OfflineException(
                $"{path} has revision {revision}, {best.Name} only {best.Revision}: go on from the snapshot, with `cairn recover --snapshot {path}` and an empty --data-dir, or leave --snapshot out to go on from {best.Name}");
        }

        Console.Out.WriteLine($"{path} has revision {revision}, nothing that {best.Name} lacks");
    }
}
