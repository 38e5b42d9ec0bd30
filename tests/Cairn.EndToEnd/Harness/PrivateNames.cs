using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>What host names mean to one process: a hosts file of its own, which can be changed while it runs, and no name server. Needs root; without, the test is skipped.</summary>
/// <remarks>The process is given a mount namespace of its own, in which the files of <c>/etc</c> are covered by ours.</remarks>
internal sealed class PrivateNames
{
    // The first two arguments are the files; the rest is the program, which takes the place of the shell, so that signals reach it.
    private const string Cover = "mount --bind \"$0\" /etc/hosts && mount --bind \"$1\" /etc/nsswitch.conf && shift && exec \"$@\"";

    private readonly string _hosts;
    private readonly string _sources;

    /// <summary>Makes the files; no name but localhost is known.</summary>
    /// <param name="directory">Where they are.</param>
    /// <param name="process">Whose they are.</param>
    public PrivateNames(ScratchDirectory directory, string process)
    {
        (_hosts, _sources) = (directory[$"{process}.hosts"], directory[$"{process}.nsswitch"]);
        File.WriteAllText(_sources, "passwd: files\ngroup: files\nhosts: files\n");
        Set();
    }

    /// <summary>The command that starts a program which knows these names.</summary>
    public IReadOnlyList<string> Starter => ["unshare", "--mount", "sh", "-c", Cover, _hosts, _sources];

    /// <summary>Skips the test where no process can be given names of its own.</summary>
    public async Task RequireAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "names of its own for a process need Linux and root");
        await using var run = ProgramRun.Start(Starter[0], [.. Starter.Skip(1), "true"]);
        Assert.SkipUnless(await run.EndAsync() == 0, $"no process can be given names of its own here: {run.Said}");
    }

    /// <summary>Says what is known from now on, beside localhost.</summary>
    /// <param name="names">Names and where they lead.</param>
    public void Set(params IEnumerable<(string Name, string Address)> names) =>
        File.WriteAllLines(_hosts, [.. names.Prepend(("localhost", "127.0.0.1")).Select(static entry => $"{entry.Item2} {entry.Item1}")]);
}
