using System.Text.Json;
using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>etcd's own command line, pointed at a server. A test that needs it is skipped, with a message, where it is not installed.</summary>
/// <param name="endpoint">The server.</param>
internal sealed class Etcdctl(string endpoint)
{
    /// <summary>Starts a command.</summary>
    /// <param name="arguments">The command and its arguments.</param>
    /// <returns>The running program.</returns>
    public ProgramRun Start(params string[] arguments)
    {
        return ProgramRun.Start(EtcdPrograms.Path("etcdctl"), ["--endpoints", endpoint, .. arguments], [new("ETCDCTL_API", "3")]);
    }

    /// <summary>Runs a command to its end.</summary>
    /// <param name="arguments">The command and its arguments.</param>
    /// <returns>What came of it.</returns>
    public Task<EtcdctlResult> TryAsync(params string[] arguments) => TryWithInputAsync("", arguments);

    /// <summary>Runs a command to its end.</summary>
    /// <param name="input">What it reads from its input.</param>
    /// <param name="arguments">The command and its arguments.</param>
    /// <returns>What came of it.</returns>
    public async Task<EtcdctlResult> TryWithInputAsync(string input, params string[] arguments)
    {
        await using var run = Start(arguments);
        await run.WriteAsync(input, isLast: true);
        var status = await run.EndAsync();
        return new EtcdctlResult(status, run.Said.TrimEnd('\n'));
    }

    /// <summary>Runs a command that has to succeed.</summary>
    /// <param name="arguments">The command and its arguments.</param>
    /// <returns>What it said.</returns>
    public async Task<string> RunAsync(params string[] arguments)
    {
        var result = await TryAsync(arguments);
        Assert.True(result.Status == 0, $"etcdctl {string.Join(' ', arguments)} ended with {result.Status}: {result.Said}");
        return result.Said;
    }

    /// <summary>Runs a command that has to succeed, with its output as JSON.</summary>
    /// <param name="arguments">The command and its arguments.</param>
    /// <returns>The output.</returns>
    public async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        using var document = JsonDocument.Parse(await RunAsync([.. arguments, "-w", "json"]));
        return document.RootElement.Clone();
    }
}

/// <summary>What came of a command.</summary>
/// <param name="Status">Its exit status.</param>
/// <param name="Said">What it said, on both its outputs.</param>
internal readonly record struct EtcdctlResult(int Status, string Said);
