using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Cairn.Bench.Broken;

/// <summary>What became of the connections of a flood.</summary>
/// <param name="Refused">Connections that the server did not take, or cut while the first bytes were sent: it defends itself.</param>
/// <param name="StillOpen">Connections of those held that were still open at the end.</param>
internal sealed record FloodOutcome(int Refused, int StillOpen);

/// <summary>The process that floods: one of its own, so that what it allocates and compiles does not stop the clients whose latency is measured. Owned by one caller.</summary>
internal sealed class Attacker : IDisposable
{
    /// <summary>Name of the command that such a process runs.</summary>
    public const string Command = "attack";

    private const string Failed = "error";

    private readonly Process _process;

    private Attacker(Process process, IPEndPoint bare) => (_process, Bare) = (process, bare);

    /// <summary>Where a listener of that process takes connections and does nothing with them.</summary>
    public IPEndPoint Bare { get; }

    /// <summary>Starts the process.</summary>
    /// <exception cref="IOException">It did not start.</exception>
    public static async Task<Attacker> StartAsync()
    {
        var program = Environment.ProcessPath ?? throw new IOException("this program does not know where it is");

        // Started as `dotnet Cairn.Bench.dll`, the program is dotnet.
        var start = new ProcessStartInfo(program, Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0], Command] : [Command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start) ?? throw new IOException($"{program} did not start");
        var address = await process.StandardOutput.ReadLineAsync() ?? throw new IOException("the process that floods ended at once");
        return new Attacker(process, IPEndPoint.Parse(address));
    }

    /// <summary>Makes connections of a kind.</summary>
    /// <param name="kind">Which kind.</param>
    /// <param name="target">Where.</param>
    /// <param name="count">How many.</param>
    /// <param name="perSecond">How many a second.</param>
    /// <returns>What became of them, when the last was made.</returns>
    /// <exception cref="IOException">The process may not open so many, or has ended.</exception>
    public async Task<FloodOutcome> FloodAsync(BrokenKind kind, IPEndPoint target, int count, int perSecond)
    {
        await _process.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{kind.Name} {target} {count} {perSecond}"));
        await _process.StandardInput.FlushAsync();
        var answer = await _process.StandardOutput.ReadLineAsync() ?? throw new IOException("the process that floods has ended");
        if (answer.StartsWith(Failed, StringComparison.Ordinal))
        {
            throw new IOException(answer[Failed.Length..].Trim());
        }

        var numbers = answer.Split(' ');
        return new FloodOutcome(int.Parse(numbers[0], CultureInfo.InvariantCulture), int.Parse(numbers[1], CultureInfo.InvariantCulture));
    }

    /// <summary>What that process does: floods as it is told, until nobody tells it any more.</summary>
    /// <param name="input">One line a flood.</param>
    /// <param name="output">Where the bare listener is; then one line a flood.</param>
    public static async Task ServeAsync(TextReader input, TextWriter output)
    {
        using var bare = new BareListener();
        await output.WriteLineAsync($"{bare.EndPoint}");
        await output.FlushAsync();
        while (await input.ReadLineAsync() is { } line)
        {
            var words = line.Split(' ');
            var connections = new BrokenConnections(BrokenKind.All.First(kind => kind.Name == words[0]), IPEndPoint.Parse(words[1]), TimeProvider.System);
            try
            {
                await connections.RunAsync(int.Parse(words[2], CultureInfo.InvariantCulture), int.Parse(words[3], CultureInfo.InvariantCulture));
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{connections.Refused} {connections.StillOpen}"));
            }
            catch (IOException e)
            {
                await output.WriteLineAsync($"{Failed} {e.Message}");
            }

            await output.FlushAsync();
        }
    }

    /// <summary>Ends the process.</summary>
    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
