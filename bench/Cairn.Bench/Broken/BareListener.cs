using System.Net;
using System.Net.Sockets;

namespace Cairn.Bench.Broken;

/// <summary>Takes connections, reads what they send and does nothing with it: what a flood costs the machine whoever is its target.</summary>
internal sealed class BareListener : IDisposable
{
    // A flood that has to wait to be accepted would cost the machine less than the same flood of a server.
    private const int BacklogMax = 4096;

    private const int BufferBytes = 16 * 1024;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>Listens on a free port of the loopback interface.</summary>
    public BareListener()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(BacklogMax);
        _ = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!; // Bound above.

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ReadAsync(await _listener.AcceptAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was closed.
        }
    }

    private static async Task ReadAsync(Socket connection)
    {
        using (connection)
        {
            try
            {
                // Waits without a buffer: ten thousand may wait at once.
                while (await connection.ReceiveAsync(Memory<byte>.Empty) == 0 && Drain(connection))
                {
                }
            }
            catch (SocketException)
            {
                // Reset, as most are.
            }
        }
    }

    private static bool Drain(Socket connection)
    {
        Span<byte> buffer = stackalloc byte[BufferBytes];
        return connection.Receive(buffer) > 0;
    }
}
