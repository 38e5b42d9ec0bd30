namespace Cairn.Host.Flags;

/// <summary>Where traces go.</summary>
internal sealed record TracingOptions
{
    /// <summary>The most that can be asked for: every request.</summary>
    public const long PerMillionMax = 1_000_000;

    /// <summary>The collector.</summary>
    public required Uri Collector { get; init; }

    /// <summary>What this server is called in traces.</summary>
    public required string ServiceName { get; init; }

    /// <summary>What tells this server from others of the name; empty for nothing.</summary>
    public required string InstanceId { get; init; }

    /// <summary>Requests in a million of which a trace is sent, where their client did not decide.</summary>
    public required long PerMillion { get; init; }

    /// <summary>Reads them.</summary>
    /// <returns>Null if no traces are sent.</returns>
    public static TracingOptions? Read(FlagValues values) => !values.Switch("enable-distributed-tracing") ? null : new TracingOptions
    {
        Collector = new Uri($"http://{values.Text("distributed-tracing-address")}"),
        ServiceName = values.Text("distributed-tracing-service-name"),
        InstanceId = values.Text("distributed-tracing-instance-id"),
        PerMillion = values.Number("distributed-tracing-sampling-rate"),
    };

    /// <summary>What is wrong with them; null if nothing is.</summary>
    public static string? Fault(FlagValues values)
    {
        if (!values.Switch("enable-distributed-tracing"))
        {
            return null;
        }

        string address = values.Text("distributed-tracing-address");
        return values.Number("distributed-tracing-sampling-rate") switch
        {
            < 0 => "tracing sampling rate must be positive",
            > PerMillionMax => $"tracing sampling rate must be less than {PerMillionMax}",
            _ => Uri.TryCreate($"http://{address}", UriKind.Absolute, out _) ? null : $"--distributed-tracing-address \"{address}\" is not HOST:PORT",
        };
    }
}
