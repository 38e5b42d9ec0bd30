using Cairn.Host.Grpc;
using Cairn.Host.Listening;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host;

/// <summary>What Kestrel calls for each request: gRPC goes to the services, everything else to the pages of the listener's role.</summary>
/// <remarks>
/// Stands directly on the server: no middleware, no routing, no service container per request. One <see cref="Exchange"/> lives on each connection of
/// HTTP/1.1 and on each stream object of HTTP/2, which Kestrel uses again and again, so that a unary call allocates little but its messages.
/// </remarks>
internal sealed class HostApplication(GrpcLimits limits, Func<Stage> stage) : IHttpApplication<HostApplication.Exchange>
{
    /// <inheritdoc/>
    public Exchange CreateContext(IFeatureCollection contextFeatures)
    {
        if (contextFeatures is not IHostContextContainer<Exchange> container)
        {
            return new Exchange(contextFeatures, limits);
        }

        container.HostContext ??= new Exchange(contextFeatures, limits);
        container.HostContext.Features = contextFeatures;
        return container.HostContext;
    }

    /// <inheritdoc/>
    public Task ProcessRequestAsync(Exchange context)
    {
        var request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
        return context.Role.ServesGrpc && IsGrpc(request)
            ? stage().Grpc(context.Features, request.Path, context.Call)
            : context.Role.Pages(stage())(context.Features);
    }

    /// <inheritdoc/>
    public void DisposeContext(Exchange context, Exception? exception)
    {
    }

    private static bool IsGrpc(IHttpRequestFeature request) =>
        request.Protocol == "HTTP/2" && request.Method == "POST" && request.Headers.ContentType.ToString().StartsWith("application/grpc", StringComparison.Ordinal);

    /// <summary>What is kept from request to request of one connection.</summary>
    internal sealed class Exchange(IFeatureCollection features, GrpcLimits limits)
    {
        private GrpcCall? _call;

        /// <summary>The request at hand.</summary>
        public IFeatureCollection Features { get; set; } = features;

        /// <summary>The role of the listener that accepted the connection.</summary>
        public ListenerRole Role { get; } = features.GetRequiredFeature<ListenerRole>();

        /// <summary>The call object, used again.</summary>
        public GrpcCall Call => _call ??= new GrpcCall(limits);
    }
}
