using System.CommandLine;
using System.Globalization;
using System.Net;
using Cairn.Bench.Broken;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Commands;

/// <summary><c>broken</c>: how clients fare while thousands of connections are broken on purpose.</summary>
internal sealed class BrokenCommand
{
    private const double Share = 0.99;

    private readonly Option<int> _count = Options.Size("--broken", 10_000, "Broken connections of each kind.");
    private readonly Option<int> _perSecond = Options.Size("--per-second", 1000, "Broken connections a second.");
    private readonly Option<int> _rate = Options.Size("--rate", 500, "Puts a second of the clients that behave.");
    private readonly Option<string> _kinds = Options.Text("--kinds", string.Join(',', BrokenKind.All.Select(static kind => kind.Name)), "Kinds, separated by commas.");
    private readonly Option<string> _tls = Options.Text("--tls-endpoint", "", "HOST:PORT on which the server speaks TLS; without it, kinds about TLS are left out.");
    private readonly CommonOptions _common;
    private readonly NanoClock _clock;

    private BrokenCommand(CommonOptions common, NanoClock clock) => (_common, _clock) = (common, clock);

    /// <summary>Builds the command.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command Build(CommonOptions common, NanoClock clock)
    {
        var self = new BrokenCommand(common, clock);
        var command = new Command("broken", "Breaks connections in many ways while clients put, and prints what that did to the latency of their puts.")
        {
            self._count, self._perSecond, self._rate, self._kinds, self._tls,
        };
        command.SetAction(self.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancelled)
    {
        var values = _common.Read(parsed);
        var tls = parsed.GetRequiredValue(_tls) is { Length: > 0 } text ? IPEndPoint.Parse(text) : null;
        var output = parsed.InvocationConfiguration.Output;
        var (count, perSecond) = (parsed.GetRequiredValue(_count), parsed.GetRequiredValue(_perSecond));
        var lasts = TimeSpan.FromSeconds((double)count / perSecond);
        Print(output, "kind", "made", "refused", "open", "p99 quiet", "p99 broken", "ratio", "failed", "server MB");
        foreach (var name in parsed.GetRequiredValue(_kinds).Split(','))
        {
            var kind = BrokenKind.All.FirstOrDefault(known => known.Name == name) ?? throw new ArgumentException($"{name} is no kind");
            if (kind.NeedsTls && tls is null)
            {
                Print(output, kind.Name, "left out: no --tls-endpoint", "", "", "", "", "", "", "");
                continue;
            }

            var quiet = await LoadAsync(parsed, values, lasts);
            var broken = new BrokenConnections(kind, kind.NeedsTls ? tls! : values.Endpoints[0], TimeProvider.System); // Asked for above.
            var load = LoadAsync(parsed, values, lasts);
            await broken.RunAsync(count, perSecond);
            var loaded = await load;
            var (before, after) = (quiet.Latency.Percentile(Share), loaded.Latency.Percentile(Share));
            Print(
                output, kind.Name, $"{count}", $"{broken.Refused}", kind.IsHeld ? $"{broken.StillOpen}" : "-", Milliseconds(before), Milliseconds(after),
                string.Create(CultureInfo.InvariantCulture, $"{(double)after / before:F2}"), $"{loaded.Failed}",
                values.ServerProcess is { } process ? $"{ProcessUsage.Of(process).ResidentBytes >> 20}" : "-");
        }

        return 0;
    }

    private Task<LoadResult> LoadAsync(ParseResult parsed, CommonValues values, TimeSpan lasts)
    {
        var rate = parsed.GetRequiredValue(_rate);
        var plan = new LoadPlan
        {
            Endpoints = values.Endpoints,
            Connections = values.Connections,
            Clients = values.Clients,
            Rate = rate,
            Total = (long)(rate * lasts.TotalSeconds),
            Processor = values.Processor,
        };
        return Task.Factory.StartNew(
            () => LoadRun.Run(plan, Workloads.Put(new KeySpace(16, 1000, Sequential: false), 256), _clock), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private static string Milliseconds(long nanoseconds) => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:F2} ms");

    private static void Print(TextWriter output, params string[] columns) => output.WriteLine(string.Join("  ", columns.Select((column, i) => column.PadRight(i == 0 ? 20 : 11))).TrimEnd());
}
