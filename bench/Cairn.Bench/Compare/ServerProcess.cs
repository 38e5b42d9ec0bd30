using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Cairn.Bench.Load;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Compare;

/// <summary>One member that the bench started, on free ports of the loopback interface. Owned by one thread.</summary>
internal sealed class ServerProcess : IDisposable
{
    // What a server may take to start or to end; a million keys take some of it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    // Enough of the log to see why a start failed.
    private const int LogLinesKept = 40;

    private readonly Contestant _contestant;
    private readonly string _dataDirectory;
    private readonly Placement _placement;
    private readonly int _peerPort = FreePort();
    private readonly Queue<string> _log = [];
    private readonly ManualResetEventSlim _ready = new();
    private Process? _process;

    /// <summary>Prepares a server that is not started yet.</summary>
    /// <param name="contestant">Which program.</param>
    /// <param name="name">Name of the member.</param>
    /// <param name="dataDirectory">Where its data is.</param>
    /// <param name="placement">Where it runs.</param>
    public ServerProcess(Contestant contestant, string name, string dataDirectory, Placement placement)
    {
        _contestant = contestant;
        Name = name;
        _dataDirectory = dataDirectory;
        _placement = placement;
        EndPoint = new IPEndPoint(IPAddress.Loopback, FreePort());
    }

    /// <summary>Name of the member.</summary>
    public string Name { get; }

    /// <summary>Where other members connect.</summary>
    public string PeerUrl => $"http://127.0.0.1:{_peerPort}";

    /// <summary>Where clients connect.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>The process.</summary>
    public int Id => Running.Id;

    private Process Running => _process ?? throw new InvalidOperationException("the server is not started");

    /// <summary>Starts the program, and does not wait for it.</summary>
    /// <param name="initialCluster">The members, as the flag has them.</param>
    public void Launch(string initialCluster)
    {
        _ready.Reset();
        _process = Run(StartInfo(initialCluster));
        _process.OutputDataReceived += (_, line) => Hear(line.Data);
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => _ready.Set();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Waits until the server has answered a linearizable read.</summary>
    /// <exception cref="IOException">It did not get ready.</exception>
    public void WaitReady()
    {
        if (!_ready.Wait(Patience) || Running.HasExited)
        {
            throw new IOException($"{_contestant.Name} did not get ready. The end of its log:\n{Log()}");
        }

        using var client = new ControlClient(EndPoint);
        client.Call<RangeResponse>(Paths.Range, new RangeRequest { Key = ByteString.CopyFromUtf8("k") });
    }

    /// <summary>Lets nothing of the server run until <see cref="Continue"/>, so that another can be measured alone.</summary>
    public void Pause() => Native.Send(Id, Native.Signal.Stop);

    /// <summary>Lets the server run again.</summary>
    public void Continue() => Native.Send(Id, Native.Signal.Continue);

    /// <summary>Asks the server to end, and waits for it.</summary>
    /// <exception cref="IOException">It did not end.</exception>
    public void Stop() => End(Native.Signal.Terminate);

    /// <summary>Ends the server without a word, and waits for it.</summary>
    /// <exception cref="IOException">It did not end.</exception>
    public void Kill() => End(Native.Signal.Kill);

    /// <summary>Ends the server if it runs.</summary>
    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            Kill();
        }

        _process?.Dispose();
        _ready.Dispose();
    }

    // A process starts with the processors of the thread that starts it.
    private Process Run(ProcessStartInfo start)
    {
        if (_placement.ServerProcessor is not { } processor)
        {
            return Process.Start(start) ?? throw new IOException($"{_contestant.Executable} did not start");
        }

        Native.BindThread(processor);
        try
        {
            return Process.Start(start) ?? throw new IOException($"{_contestant.Executable} did not start");
        }
        finally
        {
            Native.BindThread([.. Enumerable.Range(0, Environment.ProcessorCount)]);
        }
    }

    private ProcessStartInfo StartInfo(string initialCluster) => new(
        _contestant.Executable,
        [
            "--name", Name,
            "--data-dir", _dataDirectory,
            "--listen-client-urls", $"http://{EndPoint}",
            "--advertise-client-urls", $"http://{EndPoint}",
            "--listen-peer-urls", PeerUrl,
            "--initial-advertise-peer-urls", PeerUrl,
            "--initial-cluster", initialCluster,
            .. _contestant.Arguments,
        ])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };

    private void Hear(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_log)
        {
            _log.Enqueue(line);
            if (_log.Count > LogLinesKept)
            {
                _log.Dequeue();
            }
        }

        if (line.Contains("ready to serve client requests", StringComparison.Ordinal))
        {
            _ready.Set();
        }
    }

    private string Log()
    {
        lock (_log)
        {
            return string.Join('\n', _log);
        }
    }

    private void End(Native.Signal signal)
    {
        Native.Send(Id, signal);
        if (!Running.WaitForExit(Patience))
        {
            throw new IOException($"{_contestant.Name} did not end after signal {signal}. The end of its log:\n{Log()}");
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
