using Cairn.Server;
using System.Collections.Concurrent;

namespace Cairn.Host.Operations;

/// <summary>What the health pages look at: the node, or facts made up by a test.</summary>
internal sealed record HealthFacts
{
    /// <summary>Raised alarms, as in <see cref="NodeStatus.Alarms"/>.</summary>
    public required Func<IReadOnlyList<string>> Alarms { get; init; }

    /// <summary>Whether there is a leader.</summary>
    public required Func<bool> HasLeader { get; init; }

    /// <summary>Whether this member is a learner.</summary>
    public required Func<bool> IsLearner { get; init; }

    /// <summary>What is being healed, as in <see cref="NodeStatus.Healing"/>: it makes no member unhealthy, and is said.</summary>
    public Func<string?> Healing { get; init; } = static () => null;

    /// <summary>Reads a key, locally if the argument says so; null if that succeeds, else the text of the error.</summary>
    public required Func<bool, CancellationToken, ValueTask<string?>> Read { get; init; }
}

/// <summary>/health for clients of long standing; /livez and /readyz for probes. They differ on purpose: alarms and a lost quorum make a member unready, never dead.</summary>
/// <remarks>Thread-safe. Source: etcd server/etcdserver/api/etcdhttp/health.go.</remarks>
internal sealed class HealthPages(HealthFacts facts)
{
    private readonly ConcurrentDictionary<(string Type, string Name, string Status), long> _checks = new();
    private readonly ConcurrentDictionary<(string Type, string Name), bool> _results = new();
    private long _successes;
    private long _failures;

    /// <summary>Names of the checks of /livez.</summary>
    public static readonly IReadOnlyList<string> LivezChecks = ["serializable_read"];

    /// <summary>Names of the checks of /readyz, in the order in which they are listed.</summary>
    public static readonly IReadOnlyList<string> ReadyzChecks = ["data_corruption", "serializable_read", "linearizable_read", "non_learner"];

    /// <summary>Requests to /health that found the member healthy.</summary>
    public long Successes => Volatile.Read(ref _successes);

    /// <summary>Requests to /health that did not.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>How often each check ended how.</summary>
    public IEnumerable<KeyValuePair<(string Type, string Name, string Status), long>> Checks => _checks.OrderBy(static pair => pair.Key);

    /// <summary>How each check ended last.</summary>
    public IEnumerable<KeyValuePair<(string Type, string Name), bool>> Results => _results.OrderBy(static pair => pair.Key);

    /// <summary>Answers /health.</summary>
    public async ValueTask<PageAnswer> HealthAsync(string method, PageQuery query, CancellationToken cancelled)
    {
        if (method != "GET")
        {
            return PageAnswer.OnlyGet();
        }

        string? reason = await UnhealthyAsync(query.All("exclude"), query.First("serializable") == "true", cancelled);
        if (reason is null)
        {
            Interlocked.Increment(ref _successes);
            return PageAnswer.Text(200, $$"""{"health":"true","reason":"{{System.Text.Json.JsonEncodedText.Encode(facts.Healing() ?? "")}}"}""");
        }

        Interlocked.Increment(ref _failures);
        return PageAnswer.Error(503, $$"""{"health":"false","reason":"{{System.Text.Json.JsonEncodedText.Encode(reason)}}"}""");
    }

    /// <summary>Answers /livez or /readyz, or one of their checks.</summary>
    /// <param name="type">livez or readyz.</param>
    /// <param name="only">The one check that is asked for; null for all.</param>
    /// <param name="method">HTTP method.</param>
    /// <param name="query">The query.</param>
    /// <param name="cancelled">Ends the checks.</param>
    public async ValueTask<PageAnswer> ProbeAsync(string type, string? only, string method, PageQuery query, CancellationToken cancelled)
    {
        if (method != "GET")
        {
            return PageAnswer.OnlyGet();
        }

        HashSet<string> excluded = only is null ? query.All("exclude") : [];
        IEnumerable<string> checks = only is not null ? [only] : (type == "livez" ? LivezChecks : ReadyzChecks).Where(check => !excluded.Contains(check));
        bool failed = false;
        var report = new System.Text.StringBuilder();
        foreach (string check in checks)
        {
            string? fault = await CheckAsync(check, cancelled);
            failed |= fault is not null;
            report.Append(fault is null ? $"[+]{check} ok\n" : $"[-]{check} failed: {fault}\n");
            Count(type, check, fault is null);
        }

        if (type == "readyz" && only is null && facts.HasLeader() && facts.Healing() is { } healing)
        {
            // Without a leader the check that fails says it.
            report.Append(System.Globalization.CultureInfo.InvariantCulture, $"[+]healing: {healing}\n");
        }

        if (failed)
        {
            return PageAnswer.Error(503, report.ToString());
        }

        return PageAnswer.Text(200, (query.Has("verbose") ? report.ToString() : "") + "ok\n") with { Headers = [new("X-Content-Type-Options", "nosniff")] };
    }

    private async ValueTask<string?> UnhealthyAsync(HashSet<string> excludedAlarms, bool serializable, CancellationToken cancelled)
    {
        string? alarm = facts.Alarms().Select(AlarmKind).FirstOrDefault(kind => !excludedAlarms.Contains(kind));
        if (alarm is not null)
        {
            return alarm is "NOSPACE" or "CORRUPT" ? $"ALARM {alarm}" : "ALARM UNKNOWN";
        }

        if (!serializable && !facts.HasLeader())
        {
            return facts.Healing() is { } text ? $"RAFT NO LEADER: {text}" : "RAFT NO LEADER";
        }

        return await facts.Read(serializable, cancelled) is { } fault ? $"RANGE ERROR:{fault}" : null;
    }

    private async ValueTask<string?> CheckAsync(string check, CancellationToken cancelled) => check switch
    {
        "data_corruption" => facts.Alarms().Any(static alarm => AlarmKind(alarm) == "CORRUPT") ? "alarm activated: CORRUPT" : null,
        "serializable_read" => await facts.Read(true, cancelled),
        "linearizable_read" => facts.HasLeader() ? await facts.Read(false, cancelled)
            : facts.Healing() is { } text ? $"etcdserver: no leader; {text}" : "etcdserver: no leader",
        "non_learner" => facts.IsLearner() ? "not supported for learner" : null,
        _ => throw Invariant.Unreachable(check),
    };

    private static string AlarmKind(string alarm)
    {
        int colon = alarm.TrimEnd().LastIndexOf(':');
        return alarm.TrimEnd()[(colon + 1)..];
    }

    private void Count(string type, string check, bool passed)
    {
        _results[(type, check)] = passed;
        _checks.AddOrUpdate((type, check, passed ? "success" : "error"), 1, static (_, count) => count + 1);
    }
}
