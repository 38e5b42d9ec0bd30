using System.Runtime.CompilerServices;
using Cairn.Grpc;
using Google.Protobuf;

namespace Cairn.Host.Grpc;

/// <summary>One method of a served service.</summary>
/// <param name="service">Full name of the service.</param>
/// <param name="name">Name of the method.</param>
/// <param name="kind">Which sides stream, in the words of the Prometheus label grpc_type.</param>
internal abstract class GrpcMethod(string service, string name, string kind)
{
    /// <summary>Full name of the service.</summary>
    public string Service => service;

    /// <summary>Name of the method.</summary>
    public string Name => name;

    /// <summary>Which sides stream: unary, client_stream, server_stream or bidi_stream.</summary>
    public string Kind => kind;

    /// <summary>What was counted of it.</summary>
    public MethodCounters Counters { get; } = new();

    /// <summary>Whether a call lives as long as its client likes.</summary>
    public abstract bool Streaming { get; }

    /// <summary>Type of the request, where the method knows it; null where its handler reads by itself.</summary>
    public virtual Type? RequestType => null;

    /// <summary>Type of the answer, where the method knows it; null where its handler writes by itself.</summary>
    public virtual Type? AnswerType => null;

    /// <summary>Carries out a call that has begun, answers included, and tells how it ended.</summary>
    /// <returns>The status; to be awaited once.</returns>
    public abstract ValueTask<GrpcStatus> RunAsync(GrpcCall call);
}

/// <summary>A method that answers one message with one message.</summary>
/// <typeparam name="TRequest">Type of the request.</typeparam>
/// <typeparam name="TAnswer">Type of the answer: a message, or something that is written as one.</typeparam>
internal sealed class UnaryMethod<TRequest, TAnswer>(
    string service, string name, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, ValueTask<Outcome<TAnswer>>> handle, Func<TAnswer, GrpcCall, ValueTask> send)
    : GrpcMethod(service, name, "unary")
    where TRequest : class, IMessage<TRequest>
    where TAnswer : class
{
    /// <inheritdoc/>
    public override bool Streaming => false;

    /// <inheritdoc/>
    public override Type RequestType => typeof(TRequest);

    /// <inheritdoc/>
    public override Type AnswerType => typeof(TAnswer);

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<GrpcStatus> RunAsync(GrpcCall call)
    {
        TRequest? request = await call.ReadOnlyMessageAsync(parser);
        if (request is null)
        {
            return call.ReadFailure;
        }

        Outcome<TAnswer> outcome = await handle(request, call);
        if (outcome.Value is { } answer)
        {
            await send(answer, call);
        }

        return outcome.Status;
    }
}

/// <summary>A method of which one side or both stream; the handler reads and writes by itself.</summary>
internal sealed class StreamingMethod(string service, string name, string kind, Func<GrpcCall, ValueTask<GrpcStatus>> handle) : GrpcMethod(service, name, kind)
{
    /// <inheritdoc/>
    public override bool Streaming => true;

    /// <inheritdoc/>
    public override ValueTask<GrpcStatus> RunAsync(GrpcCall call) => handle(call);
}

/// <summary>A method that the service has and this server does not.</summary>
internal sealed class UnimplementedMethod(string service, string name, string kind) : GrpcMethod(service, name, kind)
{
    /// <inheritdoc/>
    public override bool Streaming => false;

    /// <inheritdoc/>
    public override ValueTask<GrpcStatus> RunAsync(GrpcCall call) => ValueTask.FromResult(new GrpcStatus(GrpcStatusCode.Unimplemented, $"unknown method {Name} for service {Service}"));
}
