using System.Runtime.CompilerServices;
using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Server;
using Google.Protobuf;

namespace Cairn.Host.Api;

/// <summary>A unary method that hands its request to the node.</summary>
/// <typeparam name="TRequest">Type of the request.</typeparam>
/// <typeparam name="TAnswer">Type of the answer.</typeparam>
internal sealed class NodeMethod<TRequest, TAnswer>(
    string service, string name, MessageParser<TRequest> parser, Func<TRequest, RequestContext, ValueTask<Answer<TAnswer>>> ask)
    : GrpcMethod(service, name, "unary")
    where TRequest : class, IMessage<TRequest>
    where TAnswer : class, IMessage
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

        Answer<TAnswer> answer = await ask(request, Caller.Of(call));
        if (!answer.Succeeded)
        {
            return EtcdErrors.StatusOf(answer.Error);
        }

        call.Write(answer.Value, ProtobufWriter.Instance);
        return GrpcStatus.Ok;
    }
}

/// <summary>Binds what the node answers by itself.</summary>
internal static class NodeMethods
{
    /// <summary>Binds a method to a question that the node is asked.</summary>
    public static ServiceBinder Asks<TRequest, TAnswer>(
        this ServiceBinder binder, string name, MessageParser<TRequest> parser, Func<TRequest, RequestContext, ValueTask<Answer<TAnswer>>> ask)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage => binder.Add(new NodeMethod<TRequest, TAnswer>(binder.Service, name, parser, ask));
}
