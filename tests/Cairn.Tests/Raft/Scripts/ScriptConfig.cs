using System.Globalization;
using Cairn.Raft;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>Reads how a script wants its nodes: no limits, and timeouts of 3 and 1 ticks, unless it says otherwise.</summary>
internal static class ScriptConfig
{
    public static (RaftConfig Config, Snapshot? Snapshot) Parse(ScriptDirective directive)
    {
        var config = new RaftConfig
        {
            Id = 1,
            Log = new MemoryLog(),
            Seed = 0,
            ElectionTicks = 3,
            HeartbeatTicks = 1,
            MessageBytesMax = ulong.MaxValue,
            InflightMessagesMax = int.MaxValue,
            CheckQuorum = false,
            PreVote = false,
        };
        var confState = ConfState.Empty;
        ReadOnlyMemory<byte> content = default;
        foreach (var (key, values) in directive.Arguments.Skip(1))
        {
            config = With(config, key, values[0]);
            confState = key switch
            {
                "voters" => confState with { Voters = [.. values.Select(Number)] },
                "learners" => confState with { Learners = [.. values.Select(Number)] },
                _ => confState,
            };
            content = key == "content" ? System.Text.Encoding.UTF8.GetBytes(values[0]) : content;
        }

        var isBootstrapped = config.Applied != 0 || confState != ConfState.Empty || content.Length > 0;
        return (config, isBootstrapped ? new Snapshot(content, new SnapshotMetadata(confState, config.Applied, 1)) : null);
    }

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);

    private static RaftConfig With(RaftConfig config, string key, string value) => key switch
    {
        "voters" or "learners" or "content" => config,
        "index" => config with { Applied = Number(value) },
        "inflight" => config with { InflightMessagesMax = (int)Number(value) },
        "async-storage-writes" => config with { AsyncStorageWrites = bool.Parse(value) },
        "prevote" => config with { PreVote = bool.Parse(value) },
        "checkquorum" => config with { CheckQuorum = bool.Parse(value) },
        "max-committed-size-per-ready" => config with { ApplyingBytesMax = Number(value) },
        "disable-conf-change-validation" => config with { ValidateConfChanges = !bool.Parse(value) },
        "read-only" => config with { ReadOnlyMode = value == "lease-based" ? ReadOnlyMode.LeaseBased : ReadOnlyMode.Safe },
        "step-down-on-removal" => config with { StepDownOnRemoval = bool.Parse(value) },
        _ => throw new FormatException($"unknown argument {key}"),
    };
}
