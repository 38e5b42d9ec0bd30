using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Cairn.Host.Listening;

/// <summary>Binds sockets for Kestrel: the two halves of a <see cref="SharedPort"/> to one socket, everything else as usual.</summary>
/// <param name="sockets">Binds real sockets.</param>
internal sealed class SharedPortListenerFactory(IConnectionListenerFactory sockets) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        endpoint is PortHalf half ? half.Port.BindAsync(half.Protocol, cancellationToken) : sockets.BindAsync(endpoint, cancellationToken);

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => endpoint is PortHalf or IPEndPoint or UnixDomainSocketEndPoint or FileHandleEndPoint;
}
