namespace Cairn.Host.Logging;

/// <summary>Where log lines go: standard output or error, and files. Thread-safe; a line is never torn.</summary>
internal sealed class LogSink : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Stream> _streams = [];

    /// <param name="outputs">Words of --log-outputs: default, stderr, stdout, systemd/journal, or paths.</param>
    /// <exception cref="IOException">A file cannot be opened.</exception>
    public LogSink(IReadOnlyList<string> outputs)
    {
        foreach (string output in outputs.Distinct())
        {
            _streams.Add(output switch
            {
                "stdout" => StandardStream.Output,
                "default" or "stderr" or "systemd/journal" => StandardStream.Error,
                _ => new FileStream(output, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0),
            });
        }
    }

    /// <param name="stream">Where lines go.</param>
    public LogSink(Stream stream)
    {
        _streams.Add(stream);
    }

    /// <summary>Writes one line.</summary>
    public void Write(ReadOnlySpan<byte> line)
    {
        lock (_lock)
        {
            foreach (Stream stream in _streams)
            {
                try
                {
                    stream.Write(line);
                    stream.Flush();
                }
                catch (IOException)
                {
                    // A full disk or a closed pipe under the log must not end the member that it reports on.
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _streams.ForEach(static stream => stream.Dispose());
            _streams.Clear();
        }
    }
}
