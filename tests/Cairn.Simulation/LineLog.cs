using Microsoft.Extensions.Logging;

namespace Cairn.Simulation;

/// <summary>Writes the members' log lines with the time of the run, for those who replay a seed.</summary>
internal sealed class LineLog(World world, TextWriter? destination) : ILoggerFactory, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => destination is not null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        destination?.WriteLine($"{TimeSpan.FromTicks(world.Now).TotalSeconds,9:F3} {(SynchronizationContext.Current as Machine)?.Name,-8} {formatter(state, exception)} {exception}");
}
