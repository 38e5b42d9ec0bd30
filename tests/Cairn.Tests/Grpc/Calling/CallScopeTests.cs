using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Xunit;

namespace Cairn.Tests.Grpc.Calling;

/// <summary>What ended a call, in the words of its caller.</summary>
public sealed class CallScopeTests
{
    // As the platform reports that connecting took longer than it may.
    private static readonly Exception ConnectTimeout = new TaskCanceledException("The operation was canceled.", new TimeoutException("A connection could not be established within the configured ConnectTimeout."));

    [Fact]
    public void A_connection_that_takes_too_long_is_no_cancellation_but_a_server_that_was_not_reached()
    {
        using var scope = new CallScope(default, TimeProvider.System);

        var failure = Assert.IsType<GrpcException>(scope.Translate(ConnectTimeout));

        Assert.Equal(GrpcStatusCode.Unavailable, failure.Code);
        Assert.True(failure.NeverSent);
    }

    [Fact]
    public void What_the_caller_cancelled_is_cancelled_whatever_it_met()
    {
        using var caller = new CancellationTokenSource();
        using var scope = new CallScope(new GrpcCallOptions { Cancelled = caller.Token }, TimeProvider.System);
        caller.Cancel();

        Assert.IsType<OperationCanceledException>(scope.Translate(ConnectTimeout));
        Assert.IsType<OperationCanceledException>(scope.Translate(new TaskCanceledException()));
    }
}
