using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Cairn.Host.Peers;

/// <summary>Where a peer URL leads: over the network, or to a socket of the file system, for which HTTP has no URL.</summary>
/// <remarks>
/// Worked example: <c>unix:///run/a</c> becomes <c>http://2f72756e2f61.socket.invalid</c>, which no name server knows and <see cref="DialAsync"/> reads back; so requests,
/// connection pools and TLS need not know of sockets. Labels of a host name are short: a long path is cut into several.
/// </remarks>
internal static class PeerTarget
{
    private const string Domain = ".socket.invalid";

    // A label has 63 characters at most; an even number keeps bytes together.
    private const int LabelMax = 62;

    /// <summary>The URL for a request.</summary>
    /// <param name="url">A member's peer URL.</param>
    /// <param name="path">Path and query, with the slash.</param>
    /// <returns>A URL of HTTP.</returns>
    /// <exception cref="UriFormatException">The peer URL is none.</exception>
    public static Uri Of(string url, string path)
    {
        bool isSecure = url.StartsWith("unixs://", StringComparison.Ordinal);
        if (!isSecure && !url.StartsWith("unix://", StringComparison.Ordinal))
        {
            return new Uri(url + path);
        }

        string name = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(url[(url.IndexOf("://", StringComparison.Ordinal) + 3)..]));
        string host = string.Join('.', name.Chunk(LabelMax).Select(static label => new string(label)));
        return new Uri($"{(isSecure ? "https" : "http")}://{host}{Domain}{path}");
    }

    /// <summary>Connects to where such a URL leads.</summary>
    /// <param name="target">Host and port of the URL.</param>
    /// <param name="cancelled">Ends the attempt.</param>
    /// <returns>The connection.</returns>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    public static async ValueTask<Stream> DialAsync(DnsEndPoint target, CancellationToken cancelled)
    {
        bool isFile = target.Host.EndsWith(Domain, StringComparison.Ordinal);
        var socket = isFile ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(isFile ? new UnixDomainSocketEndPoint(PathOf(target.Host)) : target, cancelled);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            // Whatever it was, nobody else knows of the socket.
            socket.Dispose();
            throw;
        }
    }

    private static string PathOf(string host) => Encoding.UTF8.GetString(Convert.FromHexString(host[..^Domain.Length].Replace(".", "", StringComparison.Ordinal)));
}
