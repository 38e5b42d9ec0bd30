using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>Users, roles and permissions, as etcd's own command line manages and uses them.</summary>
public sealed class EtcdctlAuthTests : IAsyncLifetime
{
    private const string Root = "--user=root:rootpw";
    private const string Alice = "--user=alice:alicepw";

    private readonly ScratchDirectory _directory = new();

    /// <inheritdoc/>
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _directory.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("simple")]
    [InlineData("jwt")]
    public async Task Users_are_held_against_their_roles(string kind)
    {
        await using var server = await StartAsync(kind);
        var etcdctl = new Etcdctl(server.Endpoint);
        await PrepareAsync(etcdctl);

        Assert.Equal("OK", await etcdctl.RunAsync(Alice, "put", "a/1", "x"));
        Assert.Equal("a/1\nx", await etcdctl.RunAsync(Alice, "get", "a/", "--prefix"));
        Assert.Contains("etcdserver: permission denied", (await etcdctl.TryAsync(Alice, "put", "b", "x")).Said, StringComparison.Ordinal);
        Assert.Contains("etcdserver: permission denied", (await etcdctl.TryAsync(Alice, "get", "", "--prefix")).Said, StringComparison.Ordinal);
        Assert.Contains("etcdserver: permission denied", (await etcdctl.TryAsync(Alice, "user", "list")).Said, StringComparison.Ordinal);
        Assert.Contains("etcdserver: user name is empty", (await etcdctl.TryAsync("put", "a/1", "x")).Said, StringComparison.Ordinal);
        Assert.Contains("invalid user ID or password", (await etcdctl.TryAsync("--user=alice:wrong", "get", "a/1")).Said, StringComparison.Ordinal);
        Assert.Contains("Authentication Status: true", await etcdctl.RunAsync(Root, "auth", "status"), StringComparison.Ordinal);
        Assert.Equal("alice\nroot", await etcdctl.RunAsync(Root, "user", "list"));
        Assert.Contains("[a/, a0) (prefix a/)", await etcdctl.RunAsync(Root, "role", "get", "reader"), StringComparison.Ordinal);

        await etcdctl.RunAsync(Root, "role", "revoke-permission", "reader", "a/", "--prefix");
        Assert.Contains("etcdserver: permission denied", (await etcdctl.TryAsync(Alice, "get", "a/1")).Said, StringComparison.Ordinal);
        await etcdctl.RunAsync(Root, "auth", "disable");
        Assert.Equal("OK", await etcdctl.RunAsync("put", "b", "x"));
    }

    [Fact]
    public async Task Users_and_tokens_outlive_a_kill()
    {
        await using var server = await StartAsync("simple");
        var etcdctl = new Etcdctl(server.Endpoint);
        await PrepareAsync(etcdctl);
        using var client = new HttpClient { BaseAddress = new Uri($"http://{server.Endpoint}") };
        var login = await PostAsync(client, "/v3/auth/authenticate", "{\"name\":\"alice\",\"password\":\"alicepw\"}");
        var token = System.Text.Json.JsonDocument.Parse(login).RootElement.GetProperty("token").GetString()!;
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", token);
        Assert.Contains("revision", await PostAsync(client, "/v3/kv/put", "{\"key\":\"YS8x\"}"), StringComparison.Ordinal);

        await server.KillAsync();
        await server.StartAsync();

        Assert.Contains("revision", await PostAsync(client, "/v3/kv/put", "{\"key\":\"YS8x\"}"), StringComparison.Ordinal);
        Assert.Contains("permission denied", await PostAsync(client, "/v3/kv/put", "{\"key\":\"Yg==\"}"), StringComparison.Ordinal);
    }

    private static async Task<string> PostAsync(HttpClient client, string path, string json)
    {
        using var content = new StringContent(json);
        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), content);
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task PrepareAsync(Etcdctl etcdctl)
    {
        await etcdctl.RunAsync("user", "add", "root:rootpw");
        await etcdctl.RunAsync("user", "grant-role", "root", "root");
        await etcdctl.RunAsync("user", "add", "alice:alicepw");
        await etcdctl.RunAsync("role", "add", "reader");
        await etcdctl.RunAsync("role", "grant-permission", "reader", "readwrite", "a/", "--prefix");
        await etcdctl.RunAsync("user", "grant-role", "alice", "reader");
        Assert.Equal("Authentication Enabled", await etcdctl.RunAsync("auth", "enable"));
    }

    private Task<Server> StartAsync(string kind)
    {
        var token = kind;
        if (kind == "jwt")
        {
            var path = Path.Combine(_directory.Path, "key.pem");
            using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
            File.WriteAllText(path, key.ExportPkcs8PrivateKeyPem());
            token = $"jwt,priv-key={path},sign-method=ES256,ttl=10m";
        }

        return Server.StartAsync(Path.Combine(_directory.Path, "data"), "--bcrypt-cost=4", $"--auth-token={token}");
    }
}
