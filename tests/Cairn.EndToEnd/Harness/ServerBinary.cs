using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Cairn.EndToEnd.Harness;

/// <summary>The server under test: the program that CAIRN_BINARY names, or else the one that is published from this tree, once.</summary>
internal static class ServerBinary
{
    private static readonly Lazy<string> Found = new(Find);

    /// <summary>Path of the program.</summary>
    public static string Path => Found.Value;

    /// <summary>Whether it is Cairn; the same tests can be pointed at etcd, to see that they hold there.</summary>
    public static bool IsCairn => System.IO.Path.GetFileName(Path).StartsWith("cairn", StringComparison.OrdinalIgnoreCase);

    private static string Find()
    {
        var named = Environment.GetEnvironmentVariable("CAIRN_BINARY");
        if (!string.IsNullOrEmpty(named))
        {
            return File.Exists(named) ? named : throw new FileNotFoundException("CAIRN_BINARY names no file", named);
        }

        var root = Root();
        var output = System.IO.Path.Combine(root, "artifacts", "end-to-end");
        var start = new ProcessStartInfo("dotnet", ["publish", System.IO.Path.Combine(root, "src", "Cairn.Host"), "-c", "Release", "-o", output, "-v", "q", "--nologo"])
        {
            RedirectStandardOutput = true,
        };
        using var publish = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start");
        var said = publish.StandardOutput.ReadToEnd();
        publish.WaitForExit();
        return publish.ExitCode == 0 ? System.IO.Path.Combine(output, "cairn") : throw new InvalidOperationException($"publishing the server failed: {said}");
    }

    private static string Root([CallerFilePath] string here = "")
    {
        var directory = new DirectoryInfo(System.IO.Path.GetDirectoryName(here) ?? ".");
        while (!File.Exists(System.IO.Path.Combine(directory.FullName, "Cairn.slnx")))
        {
            directory = directory.Parent ?? throw new DirectoryNotFoundException("the tests run outside of the source tree: name a server with CAIRN_BINARY");
        }

        return directory.FullName;
    }
}
