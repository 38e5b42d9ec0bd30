using Cairn.Grpc;
using Google.Protobuf;

namespace Cairn.Host.Grpc;

/// <summary>Binds handlers to the methods of a service.</summary>
/// <remarks>
/// Names and kinds are written down rather than read from the generated descriptors, because building those costs a third of the start-up time of the
/// process; a test compares what is bound with the descriptors, method by method.
/// </remarks>
/// <param name="service">Full name of the service.</param>
internal sealed class ServiceBinder(string service)
{
    private readonly List<GrpcMethod> _methods = [];

    /// <summary>Full name of the service.</summary>
    public string Service => service;

    /// <summary>All methods of the service.</summary>
    public IReadOnlyList<GrpcMethod> Methods => _methods;

    /// <summary>Binds a method whose answer is a message.</summary>
    public ServiceBinder Unary<TRequest, TAnswer>(string name, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, ValueTask<Outcome<TAnswer>>> handle)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage => Unary(name, parser, handle, ProtobufWriter.Instance);

    /// <summary>Binds a method whose answer is written as a message without being one.</summary>
    public ServiceBinder Unary<TRequest, TAnswer>(
        string name, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, ValueTask<Outcome<TAnswer>>> handle, MessageWriter<TAnswer> write)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class => Unary(name, parser, handle, (answer, call) =>
        {
            call.Write(answer, write);
            return ValueTask.CompletedTask;
        });

    /// <summary>Binds a method whose answer is sent by who knows how, because it may be long.</summary>
    public ServiceBinder Unary<TRequest, TAnswer>(
        string name, MessageParser<TRequest> parser, Func<TRequest, GrpcCall, ValueTask<Outcome<TAnswer>>> handle, Func<TAnswer, GrpcCall, ValueTask> send)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class => Add(new UnaryMethod<TRequest, TAnswer>(service, name, parser, handle, send));

    /// <summary>Binds a method of which the server streams.</summary>
    public ServiceBinder ServerStream(string name, Func<GrpcCall, ValueTask<GrpcStatus>> handle) => Add(new StreamingMethod(service, name, "server_stream", handle));

    /// <summary>Binds a method of which both sides stream.</summary>
    public ServiceBinder BothStream(string name, Func<GrpcCall, ValueTask<GrpcStatus>> handle) => Add(new StreamingMethod(service, name, "bidi_stream", handle));

    /// <summary>Names unary methods that this server does not have.</summary>
    public ServiceBinder Absent(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            Add(new UnimplementedMethod(service, name, "unary"));
        }

        return this;
    }

    /// <summary>Adds a method of this service.</summary>
    public ServiceBinder Add(GrpcMethod method)
    {
        Invariant.Holds(_methods.TrueForAll(bound => bound.Name != method.Name), $"{service}/{method.Name}");
        _methods.Add(method);
        return this;
    }
}
