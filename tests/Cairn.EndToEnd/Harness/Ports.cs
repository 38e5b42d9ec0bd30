using System.Net;
using System.Net.Sockets;

namespace Cairn.EndToEnd.Harness;

/// <summary>Ports of the loopback interface that nobody uses.</summary>
/// <remarks>
/// Below those that the system gives to connections (from 32768 on, see ip(7)): else a connection may take the port before the server does, or while the server is
/// down. None is given twice by one run.
/// </remarks>
internal static class Ports
{
    private const int First = 12_000;
    private const int Last = 32_000;

    // Two runs on one machine are to begin at different places.
    private static int _next = First + (Environment.ProcessId * 97 % (Last - First));

    /// <summary>Finds different free ports.</summary>
    /// <param name="count">How many.</param>
    /// <returns>The ports.</returns>
    public static int[] Free(int count) => [.. Candidates().Where(IsFree).Take(count)];

    private static IEnumerable<int> Candidates()
    {
        for (var tried = 0; tried < Last - First; tried++)
        {
            yield return First + (Interlocked.Increment(ref _next) % (Last - First));
        }

        throw new InvalidOperationException($"no port from {First} to {Last} is free");
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
