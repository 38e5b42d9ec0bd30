using System.Buffers;

namespace Cairn.Host.Logging;

/// <summary>Makes loggers that write lines as etcd's do.</summary>
/// <param name="sink">Where lines go; owned by the caller.</param>
/// <param name="time">The clock of the lines.</param>
/// <param name="level">The lowest level that is written.</param>
/// <param name="console">Whether lines are for people.</param>
internal sealed class ZapLoggerFactory(LogSink sink, TimeProvider time, LogLevel level, bool console) : ILoggerFactory
{
    /// <summary>The level of a word of --log-level.</summary>
    public static LogLevel LevelOf(string word) => word switch
    {
        "debug" => LogLevel.Debug,
        "info" => LogLevel.Information,
        "warn" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => LogLevel.Critical,
    };

    /// <summary>The lowest level that is written; it may be changed at any time.</summary>
    public LogLevel Level { get; set; } = level;

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName)
    {
        // The web server reports each broken connection of a client; that is news to nobody but those who look for it.
        bool foreign = !categoryName.StartsWith("Cairn.", StringComparison.OrdinalIgnoreCase);
        return new ZapLogger(this, CallerOf(categoryName), foreign);
    }

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("Lines go to one sink.");

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static string CallerOf(string category)
    {
        string area = category.StartsWith("Cairn.", StringComparison.OrdinalIgnoreCase) ? category["Cairn.".Length..] : category;
        int dot = area.LastIndexOf('.');
        return dot < 0 ? area.ToLowerInvariant() : $"{area[..dot].ToLowerInvariant().Replace('.', '/')}/{area[(dot + 1)..]}";
    }

    private sealed class ZapLogger(ZapLoggerFactory factory, string caller, bool foreign) : ILogger
    {
        private readonly TimeProvider _time = factory.Time;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= (foreign && factory.Level == LogLevel.Information ? LogLevel.Warning : factory.Level) && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var fields = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
            factory.Write(new LogEntry(logLevel, _time.GetUtcNow(), caller, formatter(state, exception), fields, exception));
        }
    }

    private TimeProvider Time => time;

    private void Write(LogEntry entry)
    {
        var line = new ArrayBufferWriter<byte>(512);
        if (console)
        {
            ZapLine.WriteConsole(line, entry);
        }
        else
        {
            ZapLine.WriteJson(line, entry);
        }

        sink.Write(line.WrittenSpan);
    }
}
