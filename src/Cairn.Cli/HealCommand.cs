using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Cairn.Protocol.Healing;
using Google.Protobuf;

namespace Cairn.Cli;

/// <summary><c>cairn heal status | log | approve KEY</c>: what the cluster does about members that are lost.</summary>
public static class HealCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build() => new("heal", "Shows what the cluster does about members that are lost, and approves what it proposes.")
    {
        BuildStatus(),
        BuildLog(),
        BuildApprove(),
    };

    private static Command BuildStatus()
    {
        Option<bool> json = Json();
        var command = new Command("status", "Shows the size that the cluster is meant to have, the heal under way, and what is waited for.") { json };
        return RemoteCommand.Bind(command, async (client, parsed, cancelled) =>
        {
            HealStatusResponse status = await client.Healing.StatusAsync(cancelled).ConfigureAwait(false);
            await Console.Out.WriteAsync(parsed.GetValue(json) ? JsonOf(status) : Text(status)).ConfigureAwait(false);
            return 0;
        });
    }

    private static Command BuildLog()
    {
        Option<bool> json = Json();
        var command = new Command("log", "Shows the newest heals: what was seen, what was decided and why that was safe, what came of it.") { json };
        return RemoteCommand.Bind(command, async (client, parsed, cancelled) =>
        {
            HealStatusResponse status = await client.Healing.StatusAsync(cancelled).ConfigureAwait(false);
            IEnumerable<HealEvent> heals = status.State.Current is { } current ? status.State.Finished.Append(current) : status.State.Finished;
            foreach (HealEvent heal in heals)
            {
                await Console.Out.WriteAsync(parsed.GetValue(json) ? JsonOf(heal) : Text(heal)).ConfigureAwait(false);
            }

            return 0;
        });
    }

    private static Command BuildApprove()
    {
        var key = new Argument<string>("KEY") { Description = "The proposal, as `cairn heal status` shows it." };
        var command = new Command("approve", "Lets healing do what it proposes, once. Needs root when auth is on.") { key };
        return RemoteCommand.Bind(command, async (client, parsed, cancelled) =>
        {
            string approved = parsed.GetRequiredValue(key);
            await client.Healing.ApproveAsync(approved, cancelled).ConfigureAwait(false);
            await Console.Out.WriteLineAsync($"{approved} approved").ConfigureAwait(false);
            return 0;
        });
    }

    private static Option<bool> Json() => new("--json") { Description = "One line of JSON for each." };

    private static string JsonOf(IMessage message)
    {
        // The formatter writes spaces as it likes; a second pass gives one line that is always the same.
        using JsonDocument document = JsonDocument.Parse(JsonFormatter.Default.Format(message));
        return JsonSerializer.Serialize(document.RootElement) + "\n";
    }

    internal static string Text(HealStatusResponse status)
    {
        var text = new System.Text.StringBuilder();
        HealingState state = status.State;
        text.AppendLine(CultureInfo.InvariantCulture, $"mode: {status.Mode}{(status.IsFromLeader ? "" : " (no leader answers: what is waited for is not known)")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"members: {status.Members}, intended: {(state.TargetSize == 0 ? "not known" : state.TargetSize)}{(status.Standbys == 0 ? "" : $", spare: {status.Standbys}")}");
        foreach (Vacancy place in state.Vacancies.Where(static place => place.FilledBy == 0))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"vacant: {place.MemberId:x} ({place.Name}, {string.Join(',', place.PeerUrls)}){(place.IsStandby ? ", of a spare learner" : "")}");
        }

        if (state.Current is { } current)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"under way: heal {current.HealId}, {current.Detected}; {current.Decision}");
        }

        foreach (HealWaiting waiting in status.Waiting)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{(waiting.IsProposal ? "proposed" : "waiting")}: {waiting.Key}: {waiting.Text}");
        }

        return text.ToString();
    }

    internal static string Text(HealEvent heal)
    {
        DateTimeOffset began = DateTimeOffset.FromUnixTimeMilliseconds(heal.BeganUnixMs);
        string took = heal.EndedUnixMs == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" in {(heal.EndedUnixMs - heal.BeganUnixMs) / 1000.0:F1} s");
        string outcome = heal.Outcome switch
        {
            HealOutcome.Healed => $"healed{took}: {heal.Result}",
            HealOutcome.GivenUp => $"given up{took}: {heal.Result}",
            _ => "under way",
        };
        return string.Create(
            CultureInfo.InvariantCulture,
            $"heal {heal.HealId}  {began:yyyy-MM-dd HH:mm:ss}Z  {outcome}\n  detected: {heal.Detected}\n  evidence: {heal.Evidence}\n  decision: {heal.Decision}\n  safe because: {heal.Safety}\n");
    }
}
