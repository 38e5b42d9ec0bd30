using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Cairn.Host.Listening;

/// <summary>Passes connections on to one of several targets, in turns; one that cannot be reached is left alone for a while.</summary>
/// <remarks>Source: etcd server/proxy/tcpproxy/userspace.go. Thread-safe.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore without a wait handle holds nothing, and connections that are being cut still release it.")]
internal sealed class TcpForwarder
{
    // A connection costs two descriptors and two buffers; more than this many are more than a process may hold by default.
    private const int ConnectionsMax = 16_384;

    private const int BufferBytes = 32 * 1024;

    // A member on the same network answers within milliseconds; clients wait about this long themselves.
    private static readonly TimeSpan DialMax = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly (string Host, int Port)[] _targets;
    private readonly long[] _failedAt;
    private readonly TimeSpan _retryDelay;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _slots = new(ConnectionsMax);
    private int _next;

    /// <param name="targets">Where to, as HOST:PORT.</param>
    /// <param name="retryDelay">How long a target that was not reached is left alone.</param>
    /// <param name="time">Measures that.</param>
    /// <param name="logger">For targets that are not reached.</param>
    public TcpForwarder(IReadOnlyList<string> targets, TimeSpan retryDelay, TimeProvider time, ILogger logger)
    {
        _targets = [.. targets.Select(Split)];
        _failedAt = new long[targets.Count];
        _retryDelay = retryDelay;
        _time = time;
        _logger = logger;
    }

    /// <summary>Listens until cancelled; connections that are open then are cut.</summary>
    /// <param name="address">Where.</param>
    /// <param name="ready">Called when connections are taken.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <exception cref="SocketException">The address cannot be listened on.</exception>
    public async Task RunAsync(EndPoint address, Action ready, CancellationToken cancelled)
    {
        using var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(address);
        listener.Listen();
        ready();
        try
        {
            while (true)
            {
                await _slots.WaitAsync(cancelled);
                Socket client = await listener.AcceptAsync(cancelled);
                _ = ForwardAsync(client, cancelled);
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop.
        }
    }

    /// <summary>The targets to try for the next connection: those that were reached first, in turns, then those that have been left alone for long enough.</summary>
    internal IReadOnlyList<int> Order()
    {
        lock (_lock)
        {
            int first = _next++ % _targets.Length;
            _next %= _targets.Length;
            return [.. Enumerable.Range(0, _targets.Length).Select(i => (first + i) % _targets.Length)
                .Where(i => _failedAt[i] == 0 || _time.GetElapsedTime(_failedAt[i]) >= _retryDelay)
                .OrderBy(i => _failedAt[i] == 0 ? 0 : 1)];
        }
    }

    /// <summary>Notes whether a target was reached.</summary>
    internal void Note(int target, bool wasReached)
    {
        lock (_lock)
        {
            _failedAt[target] = wasReached ? 0 : Math.Max(1, _time.GetTimestamp());
        }
    }

    private static (string Host, int Port) Split(string target)
    {
        int colon = target.LastIndexOf(':');
        return (target[..colon].Trim('[', ']'), int.Parse(target.AsSpan(colon + 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture));
    }

    private async Task ForwardAsync(Socket client, CancellationToken cancelled)
    {
        using (client)
        {
            using Socket? server = await DialAsync(cancelled);
            if (server is not null)
            {
                client.NoDelay = server.NoDelay = true;
                using var cut = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
                await Task.WhenAll(CopyAsync(client, server, cut), CopyAsync(server, client, cut));
            }
        }

        _slots.Release();
    }

    private async Task<Socket?> DialAsync(CancellationToken cancelled)
    {
        foreach (int target in Order())
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
            patience.CancelAfter(DialMax);
            try
            {
                await socket.ConnectAsync(_targets[target].Host, _targets[target].Port, patience.Token);
                Note(target, wasReached: true);
                return socket;
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                socket.Dispose();
                Note(target, wasReached: false);
                Log.TargetUnreachable(_logger, $"{_targets[target].Host}:{_targets[target].Port}", _retryDelay.ToString(), e.Message);
            }
        }

        return null;
    }

    /// <summary>Copies until the source has said all; then says so to the other. Whatever else ends it ends both directions.</summary>
    private static async Task CopyAsync(Socket from, Socket to, CancellationTokenSource cut)
    {
        byte[] buffer = new byte[BufferBytes];
        try
        {
            int received;
            while ((received = await from.ReceiveAsync(buffer.AsMemory(), cut.Token)) > 0)
            {
                for (int sent = 0; sent < received;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, received - sent), cut.Token);
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            await cut.CancelAsync();
        }
    }
}
