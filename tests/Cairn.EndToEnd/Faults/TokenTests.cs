using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Probe;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Simple tokens are good at every member and after every restart; changes of users end no watch that they do not concern.</summary>
public sealed class TokenTests
{
    private const string Password = "secret";
    private const int Changes = 100;

    private static readonly GrpcMethod<AuthenticateRequest, AuthenticateResponse> Authenticate = new("/etcdserverpb.Auth/Authenticate", AuthenticateResponse.Parser);

    [Fact]
    public async Task A_token_of_one_member_is_good_at_all_and_after_restarts_and_a_watch_outlives_changes_of_other_users()
    {
        await using var cluster = await LocalCluster.StartAsync();
        await SetUpAsync(cluster);
        var token = await TokenOfAsync(cluster.Members[0]);
        await WriteAsync(cluster, token);

        var asRoot = new ClientOptions { Endpoints = [.. cluster.Members.Select(static member => member.Endpoint)], UserName = "root", Password = Password, Seed = 1 };
        await using var root = new CairnClient(asRoot);
        await using var probe = await MilvusProbe.StartAsync(asRoot);
        await using var user = With(cluster.Members[1], token);
        var begin = (await root.Kv.PutAsync("app/begin", "1")).Header.Revision;
        await using (var watcher = user.Watch.Open(KeyRange.Prefix("app/"), begin + 1))
        {
            for (var i = 0; i < Changes; i++)
            {
                await root.Auth.AddUserAsync(new AuthUserAddRequest { Name = $"other{i}", Password = Password });
                await root.Kv.PutAsync("app/watched", $"{i}");
                var seen = await watcher.NextAsync().WaitAsync(TimeSpan.FromSeconds(60));
                Assert.Equal($"{i}", Assert.Single(seen.Events).Kv.Value.ToStringUtf8());
            }
        }

        await cluster.Members[0].KillAsync();
        await WriteAsync(cluster, token, cluster.Members[1], cluster.Members[2]);
        await Task.WhenAll(cluster.Members[1].KillAsync(), cluster.Members[2].KillAsync());
        await cluster.LaunchAsync(cluster.Members);
        await WriteAsync(cluster, token);
        await probe.AssertWholeAsync();
    }

    private static async Task SetUpAsync(LocalCluster cluster)
    {
        await using var client = cluster.Connect();
        await client.Auth.AddUserAsync(new AuthUserAddRequest { Name = "root", Password = Password });
        await client.Auth.GrantRoleAsync("root", "root");
        await client.Auth.AddUserAsync(new AuthUserAddRequest { Name = "app", Password = Password });
        await client.Auth.AddRoleAsync("app");
        await client.Auth.GrantPermissionAsync("app", new Permission
        {
            PermType = Permission.Types.Type.Readwrite,
            Key = ByteString.CopyFromUtf8("app/"),
            RangeEnd = ByteString.CopyFromUtf8("app0"),
        });
        await client.Auth.GrantRoleAsync("app", "app");
        await client.Auth.EnableAsync();
    }

    private static async Task<string> TokenOfAsync(ClusterMember member)
    {
        using var channel = new GrpcChannel(new Uri($"http://{member.Endpoint}"));
        return (await channel.CallAsync(Authenticate, new AuthenticateRequest { Name = "app", Password = Password })).Token;
    }

    private static CairnClient With(ClusterMember member, string token) => new(new ClientOptions { Endpoints = [member.Endpoint], Token = token, Seed = 1 });

    private static Task WriteAsync(LocalCluster cluster, string token) => WriteAsync(cluster, token, cluster.Members);

    /// <summary>Writes at each member, as soon as there is a leader.</summary>
    private static async Task WriteAsync(LocalCluster cluster, string token, params ClusterMember[] members)
    {
        foreach (var member in members)
        {
            await using var client = With(member, token);
            await LocalCluster.UntilAsync(async () =>
            {
                try
                {
                    return (await client.Kv.PutAsync("app/by-token", member.Name)).Header.Revision > 0;
                }
                catch (ClientException refused) when (refused.Code == ClientErrorCode.Unauthenticated)
                {
                    Assert.Fail($"{member.Name} does not know the token: {refused.Message}");
                    throw;
                }
            });
        }
    }
}
