using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cairn.Host.Flags;

namespace Cairn.Host.Listening;

/// <summary>Turns listen URLs into addresses.</summary>
internal static class ListenAddress
{
    /// <summary>The address of a URL: localhost is 127.0.0.1, as Go's listener takes it; no host is every address of both families.</summary>
    public static EndPoint Of(EtcdUrl url)
    {
        if (url.IsUnix)
        {
            return new UnixDomainSocketEndPoint(url.Authority);
        }

        int port = int.Parse(url.Port, NumberStyles.None, CultureInfo.InvariantCulture);
        return url.Host switch
        {
            "localhost" => new IPEndPoint(IPAddress.Loopback, port),
            "" => new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port),
            _ => new IPEndPoint(IPAddress.Parse(url.Host), port),
        };
    }
}
