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

        if (container.HostContext is null)
        {
            return container.HostContext = new Exchange(contextFeatures, limits);
        }

        StreamReuse.Mend(contextFeatures);
        container.HostContext.Features = contextFeatures;
        return container.HostContext;
    }

    /// <inheritdoc/>
    public Task ProcessRequestAsync(Exchange context)
    {
        if (context.Newcomer is { IsCut: true })
        {
            return Task.CompletedTask;
        }

        var request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
        return context.Role.ServesGrpc && IsGrpc(request)
            ? stage().Grpc(context.Features, request.Path, context.Call)
            : ServePageAsync(context);
    }

    /// <inheritdoc/>
    public void DisposeContext(Exchange context, Exception? exception)
    {
    }

    private Task ServePageAsync(Exchange context)
    {
        Func<IFeatureCollection, Task> page = context.Role.Pages(stage());
        return context.Newcomer is { IsSettled: false } newcomer ? ProveAsync(page, context.Features, newcomer) : page(context.Features);
    }

    /// <summary>A request that was answered has been whole.</summary>
    private static async Task ProveAsync(Func<IFeatureCollection, Task> page, IFeatureCollection features, Newcomer newcomer)
    {
        newcomer.Wait();
        await page(features);
        newcomer.Prove();
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

        /// <summary>What the connection has shown of itself; null for other members, who are known.</summary>
        public Newcomer? Newcomer { get; } = features.GetRequiredFeature<ListenerRole>().IsForPeers ? null : features.Get<Newcomer>();

        /// <summary>The call object, used again.</summary>
        public GrpcCall Call => _call ??= new GrpcCall(limits, Newcomer);
    }
}
