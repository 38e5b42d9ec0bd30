using System.Text;
using Cairn.Host.Operations;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class HealthPagesTests
{
    private readonly List<string> _alarms = [];
    private bool _leader = true;
    private bool _learner;
    private string? _localFault;
    private string? _quorumFault;
    private string? _healing;

    [Fact]
    public async Task A_healthy_member_answers_without_a_line_end() =>
        Assert.Equal((200, """{"health":"true","reason":""}"""), await Health(""));

    [Theory]
    [InlineData("memberID:1 alarm:NOSPACE ", "ALARM NOSPACE")]
    [InlineData("memberID:1 alarm:CORRUPT", "ALARM CORRUPT")]
    [InlineData("memberID:1 alarm:SPLIT", "ALARM UNKNOWN")]
    public async Task Alarms_make_health_false_with_a_line_end(string alarm, string reason)
    {
        _alarms.Add(alarm);

        Assert.Equal((503, $$"""{"health":"false","reason":"{{reason}}"}""" + "\n"), await Health(""));
    }

    [Fact]
    public async Task An_excluded_alarm_does_not_count()
    {
        _alarms.Add("memberID:1 alarm:NOSPACE");

        Assert.Equal(200, (await Health("?exclude=NOSPACE")).Status);
        Assert.Equal(200, (await Health("?exclude=&exclude=NOSPACE&exclude=CORRUPT")).Status);
        Assert.Equal(503, (await Health("?exclude=CORRUPT")).Status);
    }

    [Fact]
    public async Task Without_a_leader_only_serializable_health_is_true()
    {
        _leader = false;

        Assert.Equal((503, """{"health":"false","reason":"RAFT NO LEADER"}""" + "\n"), await Health(""));
        Assert.Equal(200, (await Health("?serializable=true")).Status);
    }

    [Fact]
    public async Task What_is_being_healed_is_said_and_makes_nobody_unhealthy()
    {
        _healing = "healing: member 1 (a) runs with another data directory";

        Assert.Equal((200, """{"health":"true","reason":"healing: member 1 (a) runs with another data directory"}"""), await Health(""));
    }

    [Fact]
    public async Task Readyz_says_what_is_being_healed_where_it_says_more_than_ok()
    {
        _healing = "not healed: voter 1 (a) is gone";

        Assert.Equal((200, "ok\n"), await Probe("readyz", ""));
        Assert.EndsWith("[+]healing: not healed: voter 1 (a) is gone\nok\n", (await Probe("readyz", "?verbose")).Body, StringComparison.Ordinal);
        _learner = true;
        Assert.Contains("[+]healing: not healed: voter 1 (a) is gone\n", (await Probe("readyz", "")).Body, StringComparison.Ordinal);
        Assert.DoesNotContain("healing", (await Probe("livez", "?verbose")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_read_is_the_reason()
    {
        _quorumFault = "etcdserver: request timed out";

        Assert.Equal((503, """{"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"}""" + "\n"), await Health(""));
    }

    [Fact]
    public async Task Other_methods_are_refused_and_told_which_is_allowed()
    {
        PageAnswer answer = await Pages().HealthAsync("POST", new PageQuery(""), CancellationToken.None);

        Assert.Equal((405, "Method Not Allowed\n"), (answer.Status, Text(answer)));
        Assert.Contains(answer.Headers, static header => header is { Key: "Allow", Value: "GET" });
    }

    [Fact]
    public async Task Livez_looks_at_nothing_but_a_local_read()
    {
        _leader = false;
        _learner = true;
        _alarms.Add("memberID:1 alarm:CORRUPT");

        Assert.Equal((200, "ok\n"), await Probe("livez", ""));
        Assert.Equal((200, "[+]serializable_read ok\nok\n"), await Probe("livez", "?verbose"));
    }

    [Fact]
    public async Task Readyz_lists_all_checks_when_one_fails_and_ends_with_an_empty_line()
    {
        _alarms.Add("memberID:1 alarm:CORRUPT");

        Assert.Equal(
            (503, "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n\n"),
            await Probe("readyz", ""));
    }

    [Fact]
    public async Task Readyz_does_not_mind_a_full_quota()
    {
        _alarms.Add("memberID:1 alarm:NOSPACE");

        Assert.Equal((200, "ok\n"), await Probe("readyz", ""));
    }

    [Fact]
    public async Task A_learner_and_a_member_without_a_leader_are_not_ready_unless_excluded()
    {
        _learner = true;
        _leader = false;

        (int status, string body) = await Probe("readyz", "");

        Assert.Equal(503, status);
        Assert.Contains("[-]non_learner failed: not supported for learner\n", body, StringComparison.Ordinal);
        Assert.Contains("[-]linearizable_read failed: etcdserver: no leader\n", body, StringComparison.Ordinal);
        Assert.Equal(200, (await Probe("readyz", "?exclude=non_learner&exclude=linearizable_read&exclude=unheard_of")).Status);
    }

    [Fact]
    public async Task A_single_check_is_answered_under_its_own_path()
    {
        _localFault = "etcdserver: server stopped";

        Assert.Equal((503, "[-]serializable_read failed: etcdserver: server stopped\n\n"), await Probe("livez", "", only: "serializable_read"));
    }

    private HealthPages Pages() => new(new HealthFacts
    {
        Alarms = () => _alarms,
        HasLeader = () => _leader,
        IsLearner = () => _learner,
        Healing = () => _healing,
        Read = (serializable, _) => ValueTask.FromResult(serializable ? _localFault : _quorumFault),
    });

    private async Task<(int Status, string Body)> Health(string query)
    {
        PageAnswer answer = await Pages().HealthAsync("GET", new PageQuery(query), CancellationToken.None);
        return (answer.Status, Text(answer));
    }

    private async Task<(int Status, string Body)> Probe(string type, string query, string? only = null)
    {
        PageAnswer answer = await Pages().ProbeAsync(type, only, "GET", new PageQuery(query), CancellationToken.None);
        return (answer.Status, Text(answer));
    }

    private static string Text(PageAnswer answer) => Encoding.UTF8.GetString(answer.Body.Span);
}
