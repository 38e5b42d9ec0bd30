using System.Text;
using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Server.Auth;
using Cairn.Server.Auth.Jwt;
using Cairn.Tests.Server.Simulated;
using Google.Protobuf;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;
using PermissionType = Cairn.Protocol.Permission.Types.Type;

namespace Cairn.Tests.Server.Auth;

/// <summary>Logging in, and being held against permissions, on running members.</summary>
public sealed class AuthFlowTests
{
    private static readonly AuthOptions Cheap = new() { BcryptCost = Bcrypt.CostMin };

    [Fact]
    public void A_password_gives_a_token_and_the_token_what_its_user_may() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();

        Assert.Equal(NodeError.AuthenticationFailed, (await node.LogInAsync("u", "wrong")).Error);
        Assert.Equal(NodeError.AuthenticationFailed, (await node.LogInAsync("nobody", "")).Error);
        var alice = await node.TokenAsync("u", "pw");

        Assert.Equal(NodeError.None, await node.TryPutAsync("a1", alice));
        Assert.Equal(NodeError.PermissionDenied, await node.TryPutAsync("z", alice));
        Assert.Equal(NodeError.UserNameEmpty, await node.TryPutAsync("a1", Anyone));
        Assert.Equal(NodeError.InvalidAuthToken, await node.TryPutAsync("a1", With("abcdefghijklmnop.7")));
        Assert.Equal(NodeError.InvalidAuthToken, await node.TryPutAsync("a1", With("")));
        Assert.Equal(NodeError.PermissionDenied, (await node.RangeAsync(new RangeRequest { Key = Bytes("a"), RangeEnd = Bytes("\0") }, alice)).Error);
        Assert.Equal(NodeError.None, (await node.RangeAsync(new RangeRequest { Key = Bytes("a"), RangeEnd = Bytes("b") }, alice)).Error);
    });

    [Fact]
    public void A_certificate_names_the_user_unless_there_is_a_token() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var root = await node.TokenAsync("root", "rootpw");

        Assert.Equal(NodeError.None, await node.TryPutAsync("a1", Anyone with { CommonName = "u" }));
        Assert.Equal(NodeError.PermissionDenied, await node.TryPutAsync("z", Anyone with { CommonName = "u" }));
        Assert.Equal(NodeError.PermissionDenied, await node.TryPutAsync("a1", Anyone with { CommonName = "stranger" }));
        Assert.Equal(NodeError.None, await node.TryPutAsync("z", root with { CommonName = "u" }));
    }, Cheap with { UsesCertificates = true });

    [Fact]
    public void A_certificate_that_nobody_asked_for_names_nobody() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();

        Assert.Equal(NodeError.UserNameEmpty, await node.TryPutAsync("a1", Anyone with { CommonName = "root" }));
    });

    [Fact]
    public void A_password_that_is_changed_ends_its_tokens_and_a_user_without_one_cannot_log_in() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var root = await node.TokenAsync("root", "rootpw");
        var alice = await node.TokenAsync("u", "pw");
        var change = new AuthUserChangePasswordRequest { Name = "u", Password = "new" };
        Assert.Equal(NodeError.PermissionDenied, (await node.Auth.ChangePasswordAsync(change, alice)).Error);
        Assert.Equal(NodeError.None, (await node.Auth.ChangePasswordAsync(change, root)).Error);

        Assert.Equal(NodeError.InvalidAuthToken, await node.TryPutAsync("a1", alice));
        Assert.Equal(NodeError.AuthenticationFailed, (await node.LogInAsync("u", "pw")).Error);
        Assert.Equal(NodeError.None, await node.TryPutAsync("a1", await node.TokenAsync("u", "new")));

        await node.MustAsync<AuthUserAddResponse>(new AuthUserAddRequest { Name = "cn", Options = new UserAddOptions { NoPassword = true } }, root);
        Assert.Equal(NodeError.NoPasswordUser, (await node.LogInAsync("cn", "")).Error);
        var tooLong = new AuthUserAddRequest { Name = "v", Password = new string('x', Bcrypt.PasswordBytesMax + 1) };
        Assert.Equal(NodeError.PasswordTooLong, (await node.Auth.AddUserAsync(tooLong, root)).Error);
    });

    [Fact]
    public void Guessing_a_password_is_slowed_down() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        for (var i = 0; i < GuessLimits.FailuresMax; i++)
        {
            Assert.Equal(NodeError.AuthenticationFailed, (await node.LogInAsync("u", $"guess {i}")).Error);
        }

        Assert.Equal(NodeError.TooManyRequests, (await node.LogInAsync("u", "pw")).Error);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(NodeError.None, (await node.LogInAsync("u", "pw")).Error);
    });

    /// <summary>CVE-2026-33413: these once needed no token. And LeaseTimeToLive, which leaked keys (etcd issue 15815).</summary>
    [Fact]
    public void Nothing_but_logging_in_is_for_people_without_a_name() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var root = await node.TokenAsync("root", "rootpw");
        var alice = await node.TokenAsync("u", "pw");
        var lease = (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 60 }, root)).Value!.ID;
        await node.PutAsync(new PutRequest { Key = Bytes("z"), Lease = lease }, root);
        var alarm = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Activate, Alarm = AlarmType.Nospace };

        (NodeError Nobody, NodeError Alice)[] refusals =
        [
            (await Both(async who => (await node.AlarmAsync(alarm, who)).Error)),
            (await Both(async who => (await node.CompactAsync(new CompactionRequest { Revision = 1 }, who)).Error)),
            (await Both(async who => (await node.LeaseRevokeAsync(new LeaseRevokeRequest { ID = lease }, who)).Error)),
            (await Both(async who => (await node.LeaseKeepAliveAsync(new LeaseKeepAliveRequest { ID = lease }, who)).Error)),
            (await Both(async who => (await node.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = lease, Keys = true }, who)).Error)),
            (await Both(async who => (await node.LeaseLeasesAsync(new LeaseLeasesRequest(), who)).Error)),
            (await Both(async who => (await node.MemberAddAsync(new MemberAddRequest { PeerURLs = { "http://x:1" } }, who)).Error)),
            (await Both(async who => (await node.MemberRemoveAsync(new MemberRemoveRequest { ID = 1 }, who)).Error)),
            (await Both(async who => (await node.MemberUpdateAsync(new MemberUpdateRequest { ID = 1 }, who)).Error)),
            (await Both(async who => (await node.MemberPromoteAsync(new MemberPromoteRequest { ID = 1 }, who)).Error)),
            (await Both(async who => (await node.DefragmentAsync(new DefragmentRequest(), who)).Error)),
            (await Both(async who => (await node.HashAsync(new HashRequest(), who)).Error)),
            (await Both(async who => (await node.HashKvAsync(new HashKVRequest(), who)).Error)),
            (await Both(async who => (await node.MoveLeaderAsync(new MoveLeaderRequest(), who)).Error)),
            (await Both(async who => (await node.DowngradeAsync(new DowngradeRequest { Version = "3.5.0" }, who)).Error)),
            (await Both(async who => (await node.Auth.ChangeAsync<AuthStatusResponse>(new AuthStatusRequest(), who)).Error)),
            (await Both(async who => (await node.Auth.ChangeAsync<AuthUserListResponse>(new AuthUserListRequest(), who)).Error)),
            (await Both(async who => (await node.Auth.AddUserAsync(new AuthUserAddRequest { Name = "eve", Password = "x" }, who)).Error)),
            (await Both(async who => (await node.Auth.ChangeAsync<AuthDisableResponse>(new AuthDisableRequest(), who)).Error)),
        ];
        Assert.All(refusals, refusal => Assert.Equal((NodeError.UserNameEmpty, NodeError.PermissionDenied), refusal));

        (NodeError Nobody, NodeError Alice)[] forEverybodyWithAName =
        [
            (await Both(async who => (await node.AlarmAsync(new AlarmRequest(), who)).Error)),
            (await Both(async who => (await node.StatusAsync(new StatusRequest(), who)).Error)),
            (await Both(async who => (await node.MemberListAsync(new MemberListRequest(), who)).Error)),
            (await Both(async who => (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 60 }, who)).Error)),
            (await Both(async who => (await node.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = lease }, who)).Error)),
            (await Both(async who => (await node.TxnAsync(new TxnRequest(), who)).Error)),
        ];
        Assert.All(forEverybodyWithAName, refusal => Assert.Equal((NodeError.UserNameEmpty, NodeError.None), refusal));

        async Task<(NodeError Nobody, NodeError Alice)> Both(Func<RequestContext, Task<NodeError>> ask) => (await ask(Anyone), await ask(alice));
    });

    /// <summary>CVE-2026-33343: operations of nested transactions skipped the checks; later their previous values and leases did.</summary>
    [Fact]
    public void Every_operation_of_a_nested_transaction_is_checked() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var root = await node.TokenAsync("root", "rootpw");
        var alice = await node.TokenAsync("u", "pw");
        var lease = (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 60 }, root)).Value!.ID;
        await node.PutAsync(new PutRequest { Key = Bytes("z"), Lease = lease }, root);
        RequestOp[] forbidden =
        [
            new() { RequestPut = new PutRequest { Key = Bytes("z") } },
            new() { RequestPut = new PutRequest { Key = Bytes("w"), PrevKv = true } },
            new() { RequestPut = new PutRequest { Key = Bytes("a1"), Lease = lease } },
            new() { RequestRange = new RangeRequest { Key = Bytes("z") } },
            new() { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes("z") } },
            new() { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes("w"), PrevKv = true } },
            new() { RequestTxn = new TxnRequest { Compare = { new Compare { Key = Bytes("z") } } } },
        ];

        foreach (var operation in forbidden)
        {
            foreach (var inner in (TxnRequest[])[new() { Success = { operation } }, new() { Failure = { operation } }])
            {
                var outer = new TxnRequest { Success = { new RequestOp { RequestTxn = inner } } };
                Assert.Equal(NodeError.PermissionDenied, (await node.TxnAsync(outer, alice)).Error);
            }
        }

        Assert.Equal(NodeError.None, await node.TryPutAsync("w", alice));
    });

    [Fact]
    public void A_lease_with_keys_that_are_not_everybodys_still_expires() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var root = await node.TokenAsync("root", "rootpw");
        var lease = (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 2 }, root)).Value!.ID;
        await node.PutAsync(new PutRequest { Key = Bytes("z"), Lease = lease }, root);

        await world.PassAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(0, (await node.RangeAsync(new RangeRequest { Key = Bytes("z") }, root)).Value!.ToMessage().Count);
    });

    /// <summary>GHSA-xg4h-6gfc-h4m8: the permission to read one key let one watch everything after it.</summary>
    [Fact]
    public void A_watcher_needs_the_whole_range_and_lives_while_its_user_may_read_it() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var root = await node.TokenAsync("root", "rootpw");
        var alice = await node.TokenAsync("u", "pw");
        await node.MustAsync<AuthRoleGrantPermissionResponse>(Grant("r", PermissionType.Read, "one", ""), root);
        using var stream = node.OpenWatchStream(alice);

        Assert.Equal("rpc error: code = PermissionDenied desc = etcdserver: permission denied", (await CreateAsync("one", "\0")).CancelReason);
        Assert.Equal(-1, (await CreateAsync("", "\0")).WatchId);
        var one = await CreateAsync("one", "");
        var range = await CreateAsync("a", "b");
        Assert.Equal((true, false, true, false), (one.Created, one.Canceled, range.Created, range.Canceled));

        await node.MustAsync<AuthRoleAddResponse>(new AuthRoleAddRequest { Name = "other" }, root);
        await node.PutAsync(new PutRequest { Key = Bytes("a1") }, root);
        Assert.Equal("a1", (await NextAsync()).Events.Single().Kv.Key.ToStringUtf8());

        await node.MustAsync<AuthRoleRevokePermissionResponse>(
            new AuthRoleRevokePermissionRequest { Role = "r", Key = Bytes("a"), RangeEnd = Bytes("b") }, root);
        var end = await NextAsync();
        Assert.Equal((range.WatchId, true), (end.WatchId, end.Canceled));
        Assert.EndsWith("permission denied", end.CancelReason, StringComparison.Ordinal);
        await node.PutAsync(new PutRequest { Key = Bytes("one") }, root);
        Assert.Equal("one", (await NextAsync()).Events.Single().Kv.Key.ToStringUtf8());

        async Task<WatchResponse> CreateAsync(string key, string rangeEnd)
        {
            var request = new WatchCreateRequest { Key = Bytes(key), RangeEnd = Bytes(rangeEnd) };
            await stream.RequestAsync(new WatchRequest { CreateRequest = request }, CancellationToken.None);
            return await NextAsync();
        }

        async Task<WatchResponse> NextAsync()
        {
            Cairn.Server.Watch.WatchDelivery? delivery;
            while (!stream.TryTake(out delivery))
            {
                Assert.True(await stream.WaitAsync(CancellationToken.None));
            }

            return delivery.ToMessage();
        }
    });

    [Fact]
    public void Those_who_watched_without_a_name_are_sent_away_when_auth_is_enabled() => RunOne(async (world, node) =>
    {
        using var stream = node.OpenWatchStream(Anyone);
        await stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a") } }, CancellationToken.None);
        await node.PrepareAsync();

        var messages = new List<WatchResponse>();
        while (stream.TryTake(out var delivery))
        {
            messages.Add(delivery.ToMessage());
        }

        Assert.True(messages[^1].Canceled);
        Assert.EndsWith("user name is empty", messages[^1].CancelReason, StringComparison.Ordinal);
    });

    [Fact]
    public void A_signed_token_lives_through_changes_of_others_and_ends_with_its_own_user() => RunOne(
        async (world, node) =>
        {
            await node.PrepareAsync();
            var root = await node.TokenAsync("root", "rootpw");
            var alice = await node.TokenAsync("u", "pw");
            await node.MustAsync<AuthRoleAddResponse>(new AuthRoleAddRequest { Name = "other" }, root);

            Assert.Equal(NodeError.None, await node.TryPutAsync("a1", alice));

            await node.MustAsync<AuthUserGrantRoleResponse>(new AuthUserGrantRoleRequest { User = "u", Role = "other" }, root);
            Assert.Equal(NodeError.AuthRevisionOld, await node.TryPutAsync("a1", alice));
            Assert.Equal(NodeError.None, await node.TryPutAsync("a1", await node.TokenAsync("u", "pw")));
        },
        Cheap with { Jwt = new JwtKeyring(JwtKey.Read("HS256", null, "secret"u8.ToArray()), TimeSpan.FromMinutes(5)) });

    [Fact]
    public void Where_it_is_asked_for_any_change_ends_all_signed_tokens() => RunOne(
        async (world, node) =>
        {
            await node.PrepareAsync();
            var root = await node.TokenAsync("root", "rootpw");
            var alice = await node.TokenAsync("u", "pw");
            Assert.Equal(NodeError.None, await node.TryPutAsync("a1", alice));

            await node.MustAsync<AuthRoleAddResponse>(new AuthRoleAddRequest { Name = "other" }, root);

            Assert.Equal(NodeError.AuthRevisionOld, await node.TryPutAsync("a1", alice));
            Assert.Equal(NodeError.AuthRevisionOld, (await node.RangeAsync(new RangeRequest { Key = Bytes("a1") }, alice)).Error);
        },
        Cheap with
        {
            Jwt = new JwtKeyring(JwtKey.Read("HS256", null, "secret"u8.ToArray()), TimeSpan.FromMinutes(5)),
            EndsJwtOnAnyChange = true,
        });

    [Fact]
    public void Healing_is_seen_by_users_and_steered_by_root() => RunOne(async (world, node) =>
    {
        await node.PrepareAsync();
        var (root, alice) = (await node.TokenAsync("root", "rootpw"), await node.TokenAsync("u", "pw"));

        Assert.Equal(NodeError.UserNameEmpty, (await node.HealStatusAsync(new HealStatusRequest(), Anyone)).Error);
        Assert.Equal(NodeError.None, (await node.HealStatusAsync(new HealStatusRequest(), alice)).Error);
        Assert.Equal(NodeError.PermissionDenied, (await node.HealApproveAsync(new HealApproveRequest { Key = "k" }, alice)).Error);
        Assert.Equal(NodeError.HealNotProposed, (await node.HealApproveAsync(new HealApproveRequest { Key = "k" }, root)).Error);
        Assert.Equal(NodeError.PermissionDenied, (await node.EvictAsync(new EvictRequest { MemberId = 7 }, alice)).Error);
        Assert.Equal(NodeError.MemberNotFound, (await node.EvictAsync(new EvictRequest { MemberId = 7 }, root)).Error);
    });

    private static void RunOne(Func<SingleNodeWorld, Node, Task> test, AuthOptions? auth = null) => SingleNodeWorld.Run(async world =>
    {
        world.Options = world.Options with { Auth = auth ?? Cheap };
        await using var node = await world.StartAsync();
        await test(world, node);
    });

    private static RequestContext With(string token) => Anyone with { Token = token };

    private static AuthRoleGrantPermissionRequest Grant(string role, PermissionType type, string key, string end) =>
        AuthRequestsOfTests.Grant(role, type, key, end);
}

/// <summary>Short forms of what tests ask for about users.</summary>
internal static class AuthRequestsOfTests
{
    /// <summary>Enables auth: root with "rootpw"; u with "pw", who may read and write [a, b) and write w.</summary>
    public static async Task PrepareAsync(this Node node)
    {
        Assert.Equal(NodeError.None, (await node.Auth.AddUserAsync(new AuthUserAddRequest { Name = "root", Password = "rootpw" }, Anyone)).Error);
        Assert.Equal(NodeError.None, (await node.Auth.AddUserAsync(new AuthUserAddRequest { Name = "u", Password = "pw" }, Anyone)).Error);
        await node.MustAsync<AuthUserGrantRoleResponse>(new AuthUserGrantRoleRequest { User = "root", Role = "root" }, Anyone);
        await node.MustAsync<AuthRoleAddResponse>(new AuthRoleAddRequest { Name = "r" }, Anyone);
        await node.MustAsync<AuthUserGrantRoleResponse>(new AuthUserGrantRoleRequest { User = "u", Role = "r" }, Anyone);
        await node.MustAsync<AuthRoleGrantPermissionResponse>(Grant("r", PermissionType.Readwrite, "a", "b"), Anyone);
        await node.MustAsync<AuthRoleGrantPermissionResponse>(Grant("r", PermissionType.Write, "w", ""), Anyone);
        await node.MustAsync<AuthEnableResponse>(new AuthEnableRequest(), Anyone);
    }

    public static AuthRoleGrantPermissionRequest Grant(string role, PermissionType type, string key, string end) =>
        new() { Name = role, Perm = new Permission { PermType = type, Key = Bytes(key), RangeEnd = Bytes(end) } };

    public static ValueTask<Answer<AuthenticateResponse>> LogInAsync(this Node node, string name, string password) =>
        node.Auth.AuthenticateAsync(new AuthenticateRequest { Name = name, Password = password }, Anyone);

    public static async Task<RequestContext> TokenAsync(this Node node, string name, string password)
    {
        var answer = await node.LogInAsync(name, password);
        Assert.Equal(NodeError.None, answer.Error);
        return Anyone with { Token = answer.Value!.Token };
    }

    public static async Task MustAsync<T>(this Node node, IMessage request, RequestContext context)
        where T : class, IMessage => Assert.Equal(NodeError.None, (await node.Auth.ChangeAsync<T>(request, context)).Error);

    public static async Task<NodeError> TryPutAsync(this Node node, string key, RequestContext context) =>
        (await node.PutAsync(new PutRequest { Key = Bytes(key), Value = ByteString.CopyFrom(Encoding.UTF8.GetBytes("v")) }, context)).Error;
}
