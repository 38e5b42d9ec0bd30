namespace Cairn.Host;

/// <summary>The versions that this server shows.</summary>
internal static class Versions
{
    /// <summary>
    /// The release of etcd whose behaviour clients find here, in Status and at /version. Digits and dots only: Patroni turns the parts into numbers, and
    /// Kubernetes uses features of its own choosing by comparing it.
    /// </summary>
    public const string Etcd = "3.6.14";

    /// <summary>The version of the storage, as 3.6 shows it.</summary>
    public const string Storage = "3.6.0";

    /// <summary>What --version prints: etcd's lines, which scripts parse, then our own.</summary>
    public static string Text =>
        $"etcd Version: {Etcd}\nGit SHA: {Revision}\nGo Version: none ({System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription})\n" +
        $"Go OS/Arch: linux/{System.Runtime.InteropServices.RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant().Replace("x64", "amd64", StringComparison.Ordinal)}\n" +
        $"Cairn Version: {typeof(Versions).Assembly.GetName().Version?.ToString(3)}\n";

    private static string Revision =>
        typeof(Versions).Assembly.GetCustomAttributes(typeof(System.Reflection.AssemblyInformationalVersionAttribute), inherit: false)
            is [System.Reflection.AssemblyInformationalVersionAttribute { InformationalVersion: { } version }] && version.IndexOf('+', StringComparison.Ordinal) is >= 0 and int plus
            ? version[(plus + 1)..Math.Min(version.Length, plus + 10)]
            : "unknown";
}
