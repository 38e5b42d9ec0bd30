using System.Net.Sockets;
using System.Text;

namespace Cairn.Host;

/// <summary>Tells systemd how far the process is, if systemd asked to be told.</summary>
/// <remarks>Source: sd_notify(3).</remarks>
internal static class SystemdNotice
{
    /// <summary>Sends a state such as READY=1 to the socket of NOTIFY_SOCKET; nothing happens without one.</summary>
    /// <param name="socketPath">The value of NOTIFY_SOCKET; a leading @ means a name outside the file system.</param>
    /// <param name="state">The state.</param>
    public static void Send(string? socketPath, string state)
    {
        if (string.IsNullOrEmpty(socketPath))
        {
            return;
        }

        try
        {
            string path = socketPath[0] == '@' ? '\0' + socketPath[1..] : socketPath;
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            // Nobody listens any more; the process runs all the same.
        }
    }
}
