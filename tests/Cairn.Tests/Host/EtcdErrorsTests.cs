using Cairn.Grpc;
using Cairn.Host.Api;
using Cairn.Server;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class EtcdErrorsTests
{
    public static TheoryData<string> Errors => [.. Enum.GetNames<NodeError>().Where(static name => name != nameof(NodeError.None))];

    [Theory]
    [MemberData(nameof(Errors))]
    public void Every_refusal_has_a_code_and_a_text(string name)
    {
        GrpcStatus status = EtcdErrors.StatusOf(Enum.Parse<NodeError>(name));

        Assert.NotEqual(GrpcStatusCode.Ok, status.Code);
        Assert.NotEqual("", status.Message);
    }

    [Fact]
    public void No_two_refusals_share_a_text() =>
        Assert.Equal(Errors.Count, Errors.Select(static row => EtcdErrors.StatusOf(Enum.Parse<NodeError>(row.Data)).Message).Distinct().Count());

    [Theory]
    [InlineData(NodeError.EmptyKey, GrpcStatusCode.InvalidArgument, "etcdserver: key is not provided")]
    [InlineData(NodeError.LeaseNotFound, GrpcStatusCode.NotFound, "etcdserver: requested lease not found")]
    [InlineData(NodeError.LeaseExists, GrpcStatusCode.FailedPrecondition, "etcdserver: lease already exists")]
    [InlineData(NodeError.LeaseTtlTooLarge, GrpcStatusCode.OutOfRange, "etcdserver: too large lease TTL")]
    [InlineData(NodeError.Compacted, GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted")]
    [InlineData(NodeError.FutureRevision, GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision is a future revision")]
    [InlineData(NodeError.NoSpace, GrpcStatusCode.ResourceExhausted, "etcdserver: mvcc: database space exceeded")]
    [InlineData(NodeError.TooManyRequests, GrpcStatusCode.Unknown, "etcdserver: too many requests")]
    [InlineData(NodeError.NotEnoughStartedMembers, GrpcStatusCode.Unknown, "etcdserver: re-configuration failed due to not enough started members")]
    [InlineData(NodeError.MemberNotFound, GrpcStatusCode.NotFound, "etcdserver: member not found")]
    [InlineData(NodeError.AuthenticationFailed, GrpcStatusCode.InvalidArgument, "etcdserver: authentication failed, invalid user ID or password")]
    [InlineData(NodeError.InvalidAuthToken, GrpcStatusCode.Unauthenticated, "etcdserver: invalid auth token")]
    [InlineData(NodeError.PermissionDenied, GrpcStatusCode.PermissionDenied, "etcdserver: permission denied")]
    [InlineData(NodeError.NotSupportedForLearner, GrpcStatusCode.FailedPrecondition, "etcdserver: rpc not supported for learner")]
    [InlineData(NodeError.NoLeader, GrpcStatusCode.Unavailable, "etcdserver: no leader")]
    [InlineData(NodeError.Timeout, GrpcStatusCode.Unavailable, "etcdserver: request timed out")]
    [InlineData(NodeError.Corrupt, GrpcStatusCode.DataLoss, "etcdserver: corrupt cluster")]
    [InlineData(NodeError.DeadlineExceeded, GrpcStatusCode.DeadlineExceeded, "context deadline exceeded")]
    [InlineData(NodeError.UnknownMethod, GrpcStatusCode.Unknown, "etcdserver: unknown method")]
    public void Code_and_text_are_those_that_clients_match(NodeError error, GrpcStatusCode code, string text) =>
        Assert.Equal(new GrpcStatus(code, text), EtcdErrors.StatusOf(error));

    [Theory]
    [InlineData("abc.7", "abc.7")]
    [InlineData("Bearer abc.7", "abc.7")]
    [InlineData("bearer abc.7", "abc.7")]
    [InlineData(null, null)]
    public void A_token_is_taken_bare_and_with_its_scheme(string? header, string? token) => Assert.Equal(token, Caller.TokenOf(header));
}
