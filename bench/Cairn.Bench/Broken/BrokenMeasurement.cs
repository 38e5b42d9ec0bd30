using System.Globalization;
using Cairn.Bench.Load;

namespace Cairn.Bench.Broken;

/// <summary>What the rounds of one kind measured. Owned by one caller.</summary>
internal sealed class BrokenMeasurement
{
    private const double Share = 0.99;

    private readonly List<double> _quiet = [];
    private readonly List<double> _bare = [];
    private readonly List<double> _broken = [];
    private double _extraCpu;
    private long _connections;

    /// <summary>Puts that failed during floods.</summary>
    public long Failed { get; private set; }

    /// <summary>The middle of the rounds' p99, during floods and without.</summary>
    public double Ratio => Median(_broken) / Median(_quiet);

    /// <summary>The middle of the rounds' p99, during floods of the server and during floods of a listener that does nothing.</summary>
    public double RatioToBare => Median(_broken) / Median(_bare);

    /// <summary>Processor time of the server for one broken connection, in microseconds: what it used more than without a flood.</summary>
    public double MicrosecondsPerConnection => _extraCpu / Math.Max(1, _connections);

    /// <summary>Counts one round.</summary>
    /// <param name="quiet">Puts without a flood.</param>
    /// <param name="bare">As many while a listener that does nothing was flooded.</param>
    /// <param name="broken">As many while the server was.</param>
    /// <param name="connections">How many connections the flood had.</param>
    public void Add(LoadResult quiet, LoadResult bare, LoadResult broken, int connections)
    {
        _quiet.Add(P99(quiet));
        _bare.Add(P99(bare));
        _broken.Add(P99(broken));
        _extraCpu += (broken.ServerCpu - quiet.ServerCpu).TotalMicroseconds;
        _connections += connections;
        Failed += broken.Failed;
    }

    /// <summary>The middle, least and greatest p99 of the rounds: quiet, with the bare listener flooded, with the server flooded.</summary>
    public (string Quiet, string Bare, string Broken) Show() => (Show(_quiet), Show(_bare), Show(_broken));

    private static double P99(LoadResult result) => result.Latency.Percentile(Share) / 1e6;

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string Show(List<double> values) => string.Create(CultureInfo.InvariantCulture, $"{Median(values):F1} ({values.Min():F1}-{values.Max():F1})");
}
