using Cairn.Grpc;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Cairn.Host.Grpc;

/// <summary>Binds handlers to the methods of a service as its descriptor lists them, and checks that types and kinds agree.</summary>
/// <param name="service">The generated descriptor.</param>
internal sealed class ServiceBinder(ServiceDescriptor service)
{
    private readonly Dictionary<string, GrpcMethod> _bound = new(StringComparer.Ordinal);

    /// <summary>Binds a method whose answer is a message.</summary>
    public ServiceBinder Unary<TRequest, TAnswer>(string name, Func<TRequest, GrpcCall, ValueTask<Outcome<TAnswer>>> handle)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class, IMessage
    {
        Invariant.Holds(service.FindMethodByName(name)?.OutputType.ClrType == typeof(TAnswer), $"{service.FullName}/{name}");
        return Unary(name, handle, ProtobufWriter.Instance);
    }

    /// <summary>Binds a method whose answer is written as a message without being one.</summary>
    public ServiceBinder Unary<TRequest, TAnswer>(string name, Func<TRequest, GrpcCall, ValueTask<Outcome<TAnswer>>> handle, MessageWriter<TAnswer> write)
        where TRequest : class, IMessage<TRequest>
        where TAnswer : class
    {
        MethodDescriptor method = Find(name, typeof(TRequest));
        Invariant.Holds(KindOf(method) == "unary", $"{method.FullName}");
        var parser = (MessageParser<TRequest>)method.InputType.Parser;
        _bound.Add(name, new UnaryMethod<TRequest, TAnswer>(service.FullName, name, parser, handle, write));
        return this;
    }

    /// <summary>Binds a method that streams.</summary>
    public ServiceBinder Streaming<TRequest>(string name, Func<GrpcCall, ValueTask<GrpcStatus>> handle)
    {
        MethodDescriptor method = Find(name, typeof(TRequest));
        Invariant.Holds(KindOf(method) != "unary", $"{method.FullName}");
        _bound.Add(name, new StreamingMethod(service.FullName, name, KindOf(method), handle));
        return this;
    }

    /// <summary>All methods of the service: those bound, and a refusal for each of the rest.</summary>
    public IEnumerable<GrpcMethod> Methods() => service.Methods.Select(method =>
        _bound.TryGetValue(method.Name, out GrpcMethod? bound) ? bound : new UnimplementedMethod(service.FullName, method.Name, KindOf(method)));

    private static string KindOf(MethodDescriptor method) => (method.IsClientStreaming, method.IsServerStreaming) switch
    {
        (false, false) => "unary",
        (true, false) => "client_stream",
        (false, true) => "server_stream",
        (true, true) => "bidi_stream",
    };

    private MethodDescriptor Find(string name, Type request)
    {
        MethodDescriptor? method = service.FindMethodByName(name);
        Invariant.Holds(method is not null, $"{service.FullName}/{name}");
        Invariant.Holds(method.InputType.ClrType == request, $"{method.FullName}");
        return method;
    }
}
