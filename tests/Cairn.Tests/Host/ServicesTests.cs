using System.Runtime.CompilerServices;
using Cairn.Host;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Protocol.Elections;
using Cairn.Protocol.Health;
using Cairn.Protocol.Locks;
using Cairn.Server;
using Google.Protobuf.Reflection;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class ServicesTests
{
    private static readonly FileDescriptor[] Files =
    [
        KvReflection.Descriptor, WatchReflection.Descriptor, LeaseReflection.Descriptor, ClusterReflection.Descriptor,
        MaintenanceReflection.Descriptor, AuthReflection.Descriptor, HealthReflection.Descriptor,
        LockReflection.Descriptor, ElectionReflection.Descriptor,
        HealServiceReflection.Descriptor,
    ];

    // Binding touches nothing of a node; only calls do.
    private readonly IReadOnlyList<GrpcMethod> _bound = CairnProcess.Services((Node)RuntimeHelpers.GetUninitializedObject(typeof(Node)));

    [Fact]
    public void Every_method_of_every_served_service_is_bound_or_named_as_absent_and_nothing_else_is()
    {
        IEnumerable<string> described = Files.SelectMany(static file => file.Services).SelectMany(static service => service.Methods).Select(static method => method.FullName);

        Assert.Equal(described.Order(StringComparer.Ordinal), _bound.Select(static method => $"{method.Service}.{method.Name}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Kinds_and_request_types_are_those_of_the_descriptors()
    {
        foreach (MethodDescriptor method in Files.SelectMany(static file => file.Services).SelectMany(static service => service.Methods))
        {
            GrpcMethod bound = _bound.Single(candidate => $"{candidate.Service}.{candidate.Name}" == method.FullName);
            Assert.Equal(KindOf(method), bound.Kind);
            Assert.True(bound.RequestType is null || bound.RequestType == method.InputType.ClrType, method.FullName);
            Assert.True(bound.AnswerType is null || !typeof(Google.Protobuf.IMessage).IsAssignableFrom(bound.AnswerType) || bound.AnswerType == method.OutputType.ClrType, method.FullName);
        }
    }

    private static string KindOf(MethodDescriptor method) => (method.IsClientStreaming, method.IsServerStreaming) switch
    {
        (false, false) => "unary",
        (true, false) => "client_stream",
        (false, true) => "server_stream",
        (true, true) => "bidi_stream",
    };
}
