using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Differential;

/// <summary>
/// Sends the same random requests, valid and broken, over gRPC and as JSON, to etcd 3.5.16 and to Cairn, and compares answers, codes and texts.
/// CAIRN_DIFFERENTIAL_REQUESTS asks for more of them than continuous integration has time for, CAIRN_DIFFERENTIAL_SEED for others.
/// </summary>
public sealed class DifferentialTests(ITestOutputHelper output)
{
    private const int DefaultRequests = 4000;
    private const int RoundRequests = 2000;

    // After so many the reader knows enough.
    private const int ReportedMax = 40;

    // One cause shows again and again in a round.
    private const int RoundDifferencesMax = 3;

    // What was asked before a difference may be what made it.
    private const int TrailMax = 3;

    private const string Password = "p";

    private readonly KnownDifferences _known = new();
    private readonly List<string> _unknown = [];
    private readonly SortedDictionary<string, int> _asked = new(StringComparer.Ordinal);

    [Fact]
    public async Task Etcd_and_cairn_answer_alike()
    {
        var etcd = EtcdPrograms.Path("etcd");
        Assert.SkipUnless(ServerBinary.IsCairn, "both servers would be the same one");
        var requests = LongForm.Number("CAIRN_DIFFERENTIAL_REQUESTS", DefaultRequests);
        var seed = (ulong)LongForm.Number("CAIRN_DIFFERENTIAL_SEED", 1);

        while (_asked.Values.Sum() < requests && _unknown.Count < ReportedMax)
        {
            await RunRoundAsync(etcd, seed++, Math.Min(RoundRequests, requests - _asked.Values.Sum()));
            TestContext.Current.SendDiagnosticMessage($"{_asked.Values.Sum()} of {requests} requests, the next with seed {seed}; {_unknown.Count} differences that nobody listed");
        }

        output.WriteLine($"{_asked.Values.Sum()} requests: {string.Join(", ", _asked.Select(static pair => $"{pair.Key} {pair.Value}"))}");
        output.WriteLine(string.Join('\n', _known.Met));
        Assert.True(_unknown.Count == 0, string.Join("\n\n", _unknown));
    }

    private async Task RunRoundAsync(string program, ulong seed, int requests)
    {
        using var directory = new ScratchDirectory();
        await using var etcd = await Contestant.StartAsync(program, directory["etcd"]);
        await using var cairn = await Contestant.StartAsync(ServerBinary.Path, directory["cairn"]);
        var withUsers = seed % 3 == 0;
        if (withUsers)
        {
            await EnableUsersAsync(etcd, cairn);
        }

        var source = new QuestionSource(new Prng(seed), withUsers);
        var trail = new Queue<string>();
        var differences = 0;
        for (var number = 0; number < requests; number++)
        {
            var question = source.Next();
            var (expected, actual) = await AskBothAsync(etcd, cairn, question);
            source.Revision = Math.Max(1, Math.Max(expected.Revision, actual.Revision));
            Count(question);
            trail.Enqueue($"  before: {question}\n          {expected}");
            if (!expected.IsAs(actual))
            {
                if (!_known.Take(question, expected, actual))
                {
                    differences++;
                    _unknown.Add($"seed {seed}, request {number}: {question}\n  etcd:  {expected}\n  cairn: {actual}\n{string.Join('\n', trail)}");
                }

                // Where one wrote and the other refused, the two stores are no longer alike, and the rest would show nothing.
                if (differences == RoundDifferencesMax || expected.IsMissing || actual.IsMissing || (question.MayWrite && expected.Code == 0 != (actual.Code == 0)))
                {
                    return;
                }
            }

            while (trail.Count > TrailMax)
            {
                trail.Dequeue();
            }

            if (withUsers && question.Method?.Service.Name == "Auth" && expected.Code == 0)
            {
                await LogInAsync(etcd, cairn);
            }
        }
    }

    private void Count(Question question)
    {
        var key = $"{(question.IsJson ? "json" : "grpc")} {(question.Method is null ? "elsewhere" : question.Name)}";
        _asked[key] = _asked.GetValueOrDefault(key) + 1;
    }

    private static async Task<(Reply Etcd, Reply Cairn)> AskBothAsync(Contestant etcd, Contestant cairn, Question question)
    {
        var first = etcd.AskAsync(question);
        var second = cairn.AskAsync(question);
        return (await first, await second);
    }

    private static async Task EnableUsersAsync(Contestant etcd, Contestant cairn)
    {
        (string Path, string Body)[] steps =
        [
            ("user/add", """{"name":"root","password":"p"}"""), ("user/grant", """{"user":"root","role":"root"}"""),
            ("user/add", """{"name":"alice","password":"p"}"""), ("user/add", """{"name":"bob","password":"p"}"""),
            ("role/add", """{"name":"reader"}"""), ("role/add", """{"name":"writer"}"""),
            ("role/grant", """{"name":"reader","perm":{"permType":"READ","key":"YQ==","range_end":"Yw=="}}"""),
            ("role/grant", """{"name":"writer","perm":{"permType":"READWRITE","key":"YQ==","range_end":"YWM="}}"""),
            ("user/grant", """{"user":"alice","role":"reader"}"""), ("user/grant", """{"user":"bob","role":"writer"}"""), ("enable", "{}"),
        ];
        foreach (var (path, body) in steps)
        {
            var (expected, actual) = await AskBothAsync(etcd, cairn, new Question { Path = $"/v3/auth/{path}", IsJson = true, Body = System.Text.Encoding.UTF8.GetBytes(body), Shown = body });
            Assert.Equal((path, expected.ToString()), (path, actual.ToString()));
        }

        await LogInAsync(etcd, cairn);
    }

    private static async Task LogInAsync(Contestant etcd, Contestant cairn)
    {
        foreach (var user in new[] { "root", "alice", "bob" })
        {
            await Task.WhenAll(etcd.LogInAsync(user, Password), cairn.LogInAsync(user, Password));
        }
    }
}
