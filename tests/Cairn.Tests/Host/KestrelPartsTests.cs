using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Cairn.Host.Listening;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host;

/// <summary>How Kestrel is put together.</summary>
public sealed class KestrelPartsTests
{
    [Fact]
    public async Task Connections_read_into_blocks_of_a_pool_that_is_not_the_shared_one_of_arrays()
    {
        await using ServiceProvider parts = KestrelParts.Build(new KestrelServerOptions(), static _ => { }, NullLoggerFactory.Instance);
        var sockets = parts.GetRequiredService<SocketTransportFactory>();
        await using IConnectionListener listener = await sockets.BindAsync(new IPEndPoint(IPAddress.Loopback, 0), TestContext.Current.CancellationToken);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.EndPoint, TestContext.Current.CancellationToken);

        await using ConnectionContext? connection = await listener.AcceptAsync(TestContext.Current.CancellationToken);

        MemoryPool<byte>? pool = connection?.Features.Get<IMemoryPoolFeature>()?.MemoryPool;
        Assert.NotNull(pool);
        Assert.NotSame(MemoryPool<byte>.Shared, pool);
    }
}
