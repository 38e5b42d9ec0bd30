using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>Locks and elections that the server runs for its clients, asked for over JSON as those clients do that have no library.</summary>
public sealed class RecipeTests(SharedServer shared) : IClassFixture<SharedServer>, IDisposable
{
    private readonly HttpClient _client = new() { BaseAddress = new Uri($"http://{shared.Server.Endpoint}") };

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task A_lock_has_the_key_of_its_lease_and_the_next_one_waits_for_it()
    {
        var first = await GrantAsync();
        var second = await GrantAsync();
        var held = await PostAsync("lock/lock", new { name = Base64("job"), lease = first });
        Assert.Equal($"job/{long.Parse(first, CultureInfo.InvariantCulture):x}", Text(held.GetProperty("key")));
        Assert.Equal(held.GetProperty("key").GetString(), (await PostAsync("lock/lock", new { name = Base64("job"), lease = first })).GetProperty("key").GetString());

        await using var watch = WatchAfter(held, "job/");
        var waiting = PostAsync("lock/lock", new { name = Base64("job"), lease = second });
        await watch.LineAsync(static line => line.StartsWith("job/", StringComparison.Ordinal));
        Assert.False(waiting.IsCompleted);

        await PostAsync("lock/unlock", new { key = held.GetProperty("key").GetString() });
        Assert.Equal($"job/{long.Parse(second, CultureInfo.InvariantCulture):x}", Text((await waiting).GetProperty("key")));
    }

    [Fact]
    public async Task A_lock_without_a_lease_gets_one_and_one_of_an_unknown_lease_fails()
    {
        var held = await PostAsync("lock/lock", new { name = Base64("own") });
        var lease = Text(held.GetProperty("key"))["own/".Length..];
        Assert.Contains("granted with TTL(60s)", await shared.Etcdctl.RunAsync("lease", "timetolive", lease), StringComparison.Ordinal);

        var refused = await PostAsync("lock/lock", new { name = Base64("x"), lease = "7" });
        Assert.Equal((2, "etcdserver: requested lease not found"), (refused.GetProperty("code").GetInt32(), refused.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task A_waiter_whose_lease_ends_is_told_that_its_session_has_expired()
    {
        var first = await GrantAsync();
        var second = await GrantAsync();
        var held = await PostAsync("lock/lock", new { name = Base64("lost"), lease = first });
        await using var watch = WatchAfter(held, "lost/");
        var waiting = PostAsync("lock/lock", new { name = Base64("lost"), lease = second });
        await watch.LineAsync(static line => line.StartsWith("lost/", StringComparison.Ordinal));
        await PostAsync("lease/revoke", new { ID = second });

        await PostAsync("lock/unlock", new { key = held.GetProperty("key").GetString() });

        Assert.Equal("mutex: session is expired", (await waiting).GetProperty("message").GetString());
    }

    [Fact]
    public async Task An_election_is_won_proclaimed_observed_and_resigned()
    {
        Assert.Equal("election: no leader", (await PostAsync("election/leader", new { name = Base64("e") })).GetProperty("message").GetString());
        var lease = await GrantAsync();
        var leader = (await PostAsync("election/campaign", new { name = Base64("e"), lease, value = Base64("one") })).GetProperty("leader");
        Assert.Equal("one", Text((await PostAsync("election/leader", new { name = Base64("e") })).GetProperty("kv").GetProperty("value")));

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v3/election/observe") { Content = JsonContent.Create(new { name = Base64("e") }) };
        using var stream = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await stream.Content.ReadAsStreamAsync());
        Assert.Equal("one", Observed(await reader.ReadLineAsync()));
        await PostAsync("election/proclaim", new { leader, value = Base64("two") });
        Assert.Equal("two", Observed(await reader.ReadLineAsync()));

        var other = await GrantAsync();
        var next = PostAsync("election/campaign", new { name = Base64("e"), lease = other, value = Base64("three") });
        await PostAsync("election/resign", new { leader });
        await next;
        Assert.Equal("three", Observed(await reader.ReadLineAsync()));
        Assert.Equal("election: not leader", (await PostAsync("election/proclaim", new { leader, value = Base64("x") })).GetProperty("message").GetString());
        Assert.Contains("revision", (await PostAsync("election/resign", new { leader })).ToString(), StringComparison.Ordinal);
        Assert.Equal("\"leader\" field must be provided", (await PostAsync("election/resign", new { })).GetProperty("message").GetString());
    }

    [Fact]
    public async Task Etcdctl_and_the_server_stand_in_the_same_line()
    {
        var lease = await GrantAsync();
        var held = await PostAsync("lock/lock", new { name = Base64("both"), lease });
        await using var watch = WatchAfter(held, "both/");
        await using var locking = shared.Etcdctl.Start("lock", "both", "echo", "has it");
        await watch.LineAsync(static line => line.StartsWith("both/", StringComparison.Ordinal));

        await PostAsync("lock/unlock", new { key = held.GetProperty("key").GetString() });

        await locking.LineAsync(static line => line == "has it");
    }

    /// <summary>Follows the keys of a lock from what came after an answer: so nothing is missed, however long the program takes to start.</summary>
    private ProgramRun WatchAfter(JsonElement answer, string prefix) => shared.Etcdctl.Start(
        "watch", prefix, "--prefix", "--rev", $"{long.Parse(answer.GetProperty("header").GetProperty("revision").GetString()!, CultureInfo.InvariantCulture) + 1}"); // It has one.

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static string Text(JsonElement base64) => Encoding.UTF8.GetString(base64.GetBytesFromBase64());

    private static string Observed(string? line)
    {
        using var json = JsonDocument.Parse(line!); // The stream goes on.
        return Text(json.RootElement.GetProperty("result").GetProperty("kv").GetProperty("value"));
    }

    private async Task<string> GrantAsync() => (await PostAsync("lease/grant", new { TTL = "600" })).GetProperty("ID").GetString()!; // Granted.

    private async Task<JsonElement> PostAsync(string path, object body)
    {
        using var answer = await _client.PostAsJsonAsync(new Uri($"/v3/{path}", UriKind.Relative), body, JsonSerializerOptions.Default);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }
}
