using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>etcd's own programs. A test that needs one is skipped, with a message, where it is not installed.</summary>
internal static class EtcdPrograms
{
    /// <summary>Finds a program.</summary>
    /// <param name="name">etcd, etcdctl or etcdutl.</param>
    /// <returns>Its path.</returns>
    public static string Path(string name)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(directory => System.IO.Path.Combine(directory, name))
            .FirstOrDefault(File.Exists);
        if (found is null)
        {
            Assert.Skip($"{name} is not installed; .ci/install-etcd installs it");
        }

        return found;
    }

    /// <summary>Runs a program that has to succeed.</summary>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <returns>What it said, on both its outputs.</returns>
    public static async Task<string> RunAsync(string file, params string[] arguments)
    {
        await using var run = ProgramRun.Start(file, arguments);
        var status = await run.EndAsync();
        Assert.True(status == 0, $"{file} {string.Join(' ', arguments)} ended with {status}: {run.Said}");
        return run.Said;
    }
}
