using System.Diagnostics;
using System.Text;
using System.Threading.Channels;

namespace Cairn.EndToEnd.Harness;

/// <summary>A program that runs, and what it says. What waits for it waits for its lines or its end, never by the clock.</summary>
internal sealed class ProgramRun : IAsyncDisposable
{
    // Long enough for the slowest machine; only a test that fails waits so long.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly StringBuilder _said = new();
    private readonly Task _reading;

    private ProgramRun(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError))
            .ContinueWith(_ => _lines.Writer.TryComplete(), TaskScheduler.Default);
    }

    /// <summary>The process.</summary>
    public Process Process => _process;

    /// <summary>All that the program has said so far, on both its outputs.</summary>
    public string Said
    {
        get
        {
            lock (_said)
            {
                return _said.ToString();
            }
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables in addition to ours.</param>
    /// <returns>The running program.</returns>
    public static ProgramRun Start(string file, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? [])
        {
            start.Environment[name] = value;
        }

        return new ProgramRun(Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start"));
    }

    /// <summary>Writes to the program's input.</summary>
    /// <param name="text">What to write.</param>
    /// <param name="isLast">Whether the input ends with it.</param>
    /// <returns>When it is written.</returns>
    public async Task WriteAsync(string text, bool isLast = false)
    {
        await _process.StandardInput.WriteAsync(text);
        await _process.StandardInput.FlushAsync();
        if (isLast)
        {
            _process.StandardInput.Close();
        }
    }

    /// <summary>Waits for a line.</summary>
    /// <param name="wanted">Which; lines before it are passed over.</param>
    /// <returns>The line.</returns>
    /// <exception cref="InvalidOperationException">The program ended, or took too long, without such a line.</exception>
    public async Task<string> LineAsync(Func<string, bool> wanted)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            while (true)
            {
                var line = await _lines.Reader.ReadAsync(patience.Token);
                if (wanted(line))
                {
                    return line;
                }
            }
        }
        catch (Exception e) when (e is ChannelClosedException or OperationCanceledException)
        {
            throw new InvalidOperationException($"{_process.StartInfo.FileName} did not say what was waited for. It said:\n{Said}", e);
        }
    }

    /// <summary>Waits for the next line, whatever it is.</summary>
    /// <returns>The line.</returns>
    public Task<string> LineAsync() => LineAsync(static _ => true);

    /// <summary>Waits for the program's end.</summary>
    /// <returns>Its exit status.</returns>
    /// <exception cref="InvalidOperationException">The program took too long.</exception>
    public async Task<int> EndAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
            await _reading;
            return _process.ExitCode;
        }
        catch (OperationCanceledException e)
        {
            throw new InvalidOperationException($"{_process.StartInfo.FileName} did not end. It said:\n{Said}", e);
        }
    }

    /// <summary>Ends the program at once, without a word to it.</summary>
    /// <returns>When it is gone.</returns>
    public async Task KillAsync()
    {
        _process.Kill();
        await EndAsync();
    }

    /// <summary>Ends the program if it still runs.</summary>
    /// <returns>When it is gone.</returns>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        await _reading;
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_said)
            {
                _said.AppendLine(line);
            }

            _lines.Writer.TryWrite(line);
        }
    }
}
