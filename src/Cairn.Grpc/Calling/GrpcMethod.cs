using Google.Protobuf;

namespace Cairn.Grpc.Calling;

/// <summary>A method that can be called: where it is, and how its answers are read.</summary>
/// <typeparam name="TRequest">The message that is sent.</typeparam>
/// <typeparam name="TResponse">The message that is answered.</typeparam>
/// <param name="Path">The path, such as <c>/etcdserverpb.KV/Put</c>.</param>
/// <param name="ResponseParser">Reads an answer.</param>
public sealed record GrpcMethod<TRequest, TResponse>(string Path, MessageParser<TResponse> ResponseParser)
    where TRequest : IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>;
