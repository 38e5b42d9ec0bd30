using System.Net;
using System.Net.Sockets;

namespace Cairn.EndToEnd.Harness;

/// <summary>Ports of the loopback interface that nobody uses.</summary>
internal static class Ports
{
    /// <summary>Finds different free ports.</summary>
    /// <param name="count">How many.</param>
    /// <returns>The ports.</returns>
    public static int[] Free(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(static _ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(static listener => listener.Start());
        int[] ports = [.. listeners.Select(static listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(static listener => listener.Dispose());
        return ports;
    }
}
