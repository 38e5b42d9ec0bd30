using Cairn.Client;
using Cairn.Grpc;
using Cairn.Protocol;
using Xunit;

namespace Cairn.Tests.Client;

public sealed class RetryTests
{
    private static readonly RangeResponse Empty = new() { Header = new ResponseHeader { Revision = 1 } };
    private static readonly PutResponse Written = new() { Header = new ResponseHeader { Revision = 2 } };

    [Fact]
    public async Task A_read_goes_to_the_next_member_when_one_cannot_answer_and_stays_there()
    {
        await using var cluster = new ScriptedCluster(3).Member(1, GrpcStatusCode.Unavailable, "etcdserver: no leader").Member(2, Empty);

        await cluster.Client.Kv.GetAsync("a");
        await cluster.Client.Kv.GetAsync("a");

        Assert.Equal(["1/Range", "2/Range", "2/Range"], cluster.Calls);
    }

    [Fact]
    public async Task A_write_that_a_member_may_have_seen_is_not_made_again()
    {
        await using var cluster = new ScriptedCluster(2).Member(1, GrpcStatusCode.Unavailable, "etcdserver: request timed out").Member(2, Written);

        var failed = await Assert.ThrowsAsync<ClientException>(() => cluster.Client.Kv.PutAsync("a", "1"));

        Assert.Equal(ClientErrorCode.Unavailable, failed.Code);
        Assert.Equal("etcdserver: request timed out", failed.Message);
        Assert.Equal(["1/Put"], cluster.Calls);
    }

    [Fact]
    public async Task A_write_that_no_member_saw_is_made_at_the_next()
    {
        await using var cluster = new ScriptedCluster(2).DeadMember(1).Member(2, Written);

        Assert.Equal(2, (await cluster.Client.Kv.PutAsync("a", "1")).Header.Revision);

        Assert.Equal(["1/Put", "2/Put"], cluster.Calls);
    }

    [Fact]
    public async Task An_answer_that_is_a_refusal_is_not_asked_for_again()
    {
        await using var cluster = new ScriptedCluster(2).Member(1, GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted");

        var failed = await Assert.ThrowsAsync<ClientException>(() => cluster.Client.Kv.GetAsync("a"));

        Assert.Equal(ClientErrorCode.OutOfRange, failed.Code);
        Assert.Equal(["1/Range"], cluster.Calls);
    }

    [Theory]
    [InlineData(GrpcStatusCode.FailedPrecondition, "etcdserver: rpc not supported for learner")]
    [InlineData(GrpcStatusCode.Unavailable, "etcdserver: the disk of this member cannot be written")]
    [InlineData(GrpcStatusCode.Unavailable, "cairn: the member starts")]
    public async Task A_member_that_cannot_is_passed_over_even_by_writes(GrpcStatusCode code, string text)
    {
        await using var cluster = new ScriptedCluster(2).Member(1, code, text).Member(2, Written);

        await cluster.Client.Kv.PutAsync("a", "1");

        Assert.Equal(["1/Put", "2/Put"], cluster.Calls);
    }

    [Fact]
    public async Task Attempts_end_with_the_time_of_the_call()
    {
        await using var cluster = new ScriptedCluster(2, new ClientOptions { Endpoints = [], CallTimeout = TimeSpan.FromSeconds(5) }).DeadMember(1).DeadMember(2);

        var failed = await Assert.ThrowsAsync<ClientException>(() => cluster.Client.Kv.GetAsync("a"));

        Assert.Equal(ClientErrorCode.Unavailable, failed.Code);
        Assert.InRange(cluster.Calls.Count(), 4, 40);
    }

    [Fact]
    public async Task What_one_member_is_asked_is_not_asked_of_another()
    {
        await using var cluster = new ScriptedCluster(2).Member(1, GrpcStatusCode.Unavailable, "gone").Member(2, new StatusResponse());

        await Assert.ThrowsAsync<ClientException>(() => cluster.Client.Maintenance.StatusAsync("member:1"));

        Assert.Equal(["1/Status"], cluster.Calls);
    }

    [Fact]
    public async Task A_token_is_fetched_once_sent_with_each_call_and_fetched_again_when_it_is_refused()
    {
        var tokens = 0;
        await using var cluster = new ScriptedCluster(1, new ClientOptions { Endpoints = [], UserName = "root", Password = "secret" }).Member(1, async call =>
        {
            if (call.Path.EndsWith("Authenticate", StringComparison.Ordinal))
            {
                Assert.Equal(new AuthenticateRequest { Name = "root", Password = "secret" }, await call.ReadAsync(AuthenticateRequest.Parser));
                await call.WriteAsync(new AuthenticateResponse { Token = $"token{++tokens}" });
            }
            else if (call.Header("token") == "token1" && tokens == 1 && call.Path.EndsWith("Put", StringComparison.Ordinal))
            {
                call.End(GrpcStatusCode.Unauthenticated, "etcdserver: invalid auth token");
                return;
            }
            else
            {
                await call.WriteAsync(Written);
            }

            call.End(GrpcStatusCode.Ok);
        });

        await cluster.Client.Kv.GetAsync("a");
        await cluster.Client.Kv.PutAsync("a", "1");
        await cluster.Client.Kv.PutAsync("a", "2");

        Assert.Equal(["1/Authenticate", "1/Range", "1/Put", "1/Authenticate", "1/Put", "1/Put"], cluster.Calls);
        Assert.Equal([null, "token1", "token1", null, "token2", "token2"], cluster.All.Select(static call => call.Header("token")));
    }

    [Fact]
    public async Task A_store_that_asks_for_no_user_gets_no_token()
    {
        await using var cluster = new ScriptedCluster(1, new ClientOptions { Endpoints = [], UserName = "root" }).Member(1, async call =>
        {
            if (call.Path.EndsWith("Authenticate", StringComparison.Ordinal))
            {
                call.End(GrpcStatusCode.FailedPrecondition, "etcdserver: authentication is not enabled");
                return;
            }

            await call.WriteAsync(Empty);
            call.End(GrpcStatusCode.Ok);
        });

        await cluster.Client.Kv.GetAsync("a");

        Assert.Null(cluster.All.Last().Header("token"));
    }

    [Fact]
    public async Task A_leader_is_required_where_that_is_wished()
    {
        await using var cluster = new ScriptedCluster(1, new ClientOptions { Endpoints = [], RequireLeader = true }).Member(1, Empty);

        await cluster.Client.Kv.GetAsync("a");

        Assert.Equal("true", cluster.All.Single().Header("hasleader"));
    }
}
