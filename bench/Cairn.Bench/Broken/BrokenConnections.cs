using System.Net;
using System.Net.Sockets;

namespace Cairn.Bench.Broken;

/// <summary>Makes many connections of one kind, at a steady rate, and keeps those open that are to be held.</summary>
internal sealed class BrokenConnections(BrokenKind kind, IPEndPoint target, TimeProvider time)
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan DripInterval = TimeSpan.FromSeconds(2);

    private readonly List<Socket> _held = [];

    /// <summary>Connections that the server did not take, or cut while the first bytes were sent: it defends itself.</summary>
    public int Refused { get; private set; }

    /// <summary>Connections of those held that were still open at the end.</summary>
    public int StillOpen { get; private set; }

    /// <summary>Makes them all.</summary>
    /// <param name="count">How many.</param>
    /// <param name="perSecond">How many a second.</param>
    /// <returns>When the last was made.</returns>
    /// <exception cref="IOException">This process may not open so many.</exception>
    public async Task RunAsync(int count, int perSecond)
    {
        using var steps = new PeriodicTimer(Step, time);
        var began = time.GetTimestamp();
        var dripped = began;
        try
        {
            for (var made = 0; made < count;)
            {
                await steps.WaitForNextTickAsync();
                for (var due = Math.Min(count, (int)(time.GetElapsedTime(began).TotalSeconds * perSecond)); made < due; made++)
                {
                    await MakeAsync(made);
                }

                if (time.GetElapsedTime(dripped) >= DripInterval)
                {
                    dripped = time.GetTimestamp();
                    Drip();
                }
            }

            StillOpen = _held.Count(IsOpen);
        }
        finally
        {
            _held.ForEach(Reset);
        }
    }

    /// <summary>Reads what the server has said meanwhile: only behind that can be seen whether it has closed.</summary>
    private static bool IsOpen(Socket socket)
    {
        Span<byte> said = stackalloc byte[1024];
        try
        {
            while (socket.Poll(0, SelectMode.SelectRead))
            {
                if (socket.Receive(said) == 0)
                {
                    return false;
                }
            }

            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // A reset, and not an orderly end: nothing of the connection stays with either side.
    private static void Reset(Socket socket)
    {
        socket.LingerState = new LingerOption(enable: true, seconds: 0);
        socket.Dispose();
    }

    private async Task MakeAsync(int number)
    {
        var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(target);
            await socket.SendAsync(kind.Bytes(number), SocketFlags.None);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.AddressNotAvailable)
        {
            throw new IOException($"{number} connections are open and no more can be: {e.Message}; raise `ulimit -n`, also for the server", e);
        }
        catch (SocketException)
        {
            Refused++;
        }

        if (kind.IsHeld)
        {
            _held.Add(socket);
        }
        else
        {
            Reset(socket);
        }
    }

    private void Drip()
    {
        foreach (var socket in kind.Drip.Length == 0 ? [] : _held)
        {
            try
            {
                socket.Send(kind.Drip, SocketFlags.None, out _);
            }
            catch (SocketException)
            {
                // The server has cut it.
            }
        }
    }
}
