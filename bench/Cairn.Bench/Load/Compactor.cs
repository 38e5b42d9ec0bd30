using System.Net;
using Cairn.Bench.Measure;
using Cairn.Protocol;

namespace Cairn.Bench.Load;

/// <summary>Compacts again and again while a load runs. Owns a thread and a connection.</summary>
internal sealed class Compactor : IDisposable
{
    private readonly ControlClient _client;
    private readonly TimeSpan _interval;
    private readonly long _keptRevisions;
    private readonly NanoClock _clock;
    private readonly ManualResetEventSlim _over = new();
    private readonly Thread _thread;

    /// <summary>Starts.</summary>
    /// <param name="endPoint">Where the server is.</param>
    /// <param name="interval">Time between two compactions.</param>
    /// <param name="keptRevisions">How many revisions below the current one are kept.</param>
    /// <param name="clock">The clock.</param>
    public Compactor(IPEndPoint endPoint, TimeSpan interval, long keptRevisions, NanoClock clock)
    {
        _client = new ControlClient(endPoint);
        _interval = interval;
        _keptRevisions = keptRevisions;
        _clock = clock;
        _thread = new Thread(Run);
        _thread.Start();
    }

    /// <summary>Compactions that were answered.</summary>
    public int Count { get; private set; }

    /// <summary>Time of the slowest call.</summary>
    public TimeSpan Slowest { get; private set; }

    /// <summary>The call that failed, if one did; it ended the thread.</summary>
    public string? Failure { get; private set; }

    /// <summary>Ends the thread.</summary>
    public void Dispose()
    {
        _over.Set();
        _thread.Join();
        _client.Dispose();
        _over.Dispose();
    }

    private void Run()
    {
        try
        {
            while (!_over.Wait(_interval))
            {
                Compact();
            }
        }
        catch (IOException e)
        {
            Failure = e.Message;
        }
    }

    private void Compact()
    {
        var status = _client.Call<StatusResponse>(Paths.Status, new StatusRequest());
        var revision = status.Header.Revision - _keptRevisions;
        if (revision <= 0)
        {
            return;
        }

        var start = _clock.Now;
        _client.Call<CompactionResponse>(Paths.Compact, new CompactionRequest { Revision = revision });
        Count++;
        Slowest = TimeSpan.FromTicks(Math.Max(Slowest.Ticks, NanoClock.Span(_clock.Now - start).Ticks));
    }
}
