using Cairn.Host.Flags;
using Cairn.Host.Grpc;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Cairn.Host.Operations;

/// <summary>Sends the spans of calls to a collector, in batches, by OTLP over gRPC.</summary>
/// <remarks>Source: etcd server/embed/config_tracing.go.</remarks>
internal static class Tracing
{
    /// <summary>Starts to send.</summary>
    /// <param name="options">Where to.</param>
    /// <returns>What ends it, and sends what is left.</returns>
    public static IDisposable Start(TracingOptions options)
    {
        Sampler own = options.PerMillion == 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler((double)options.PerMillion / TracingOptions.PerMillionMax);
        ResourceBuilder resource = ResourceBuilder.CreateEmpty().AddService(
            options.ServiceName, serviceInstanceId: options.InstanceId.Length > 0 ? options.InstanceId : null, autoGenerateServiceInstanceId: false);
        return Sdk.CreateTracerProviderBuilder()
            .AddSource(CallSpans.SourceName)
            .SetResourceBuilder(resource)
            .SetSampler(new ParentBasedSampler(own))
            .AddOtlpExporter(exporter => (exporter.Endpoint, exporter.Protocol) = (options.Collector, OtlpExportProtocol.Grpc))
            .Build();
    }
}
