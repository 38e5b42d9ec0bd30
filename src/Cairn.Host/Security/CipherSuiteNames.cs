using System.Net.Security;

namespace Cairn.Host.Security;

/// <summary>Cipher suites by the names that Go gives them, which are mostly those of the registry.</summary>
internal static class CipherSuiteNames
{
    // Go shortened these two names before the registry had them in full.
    private const string GoSuffix = "_WITH_CHACHA20_POLY1305";

    /// <summary>The suites of the names that are known.</summary>
    public static IEnumerable<TlsCipherSuite> Parse(IReadOnlyList<string> names)
    {
        foreach (string name in names)
        {
            if (TryParse(name, out TlsCipherSuite suite))
            {
                yield return suite;
            }
        }
    }

    /// <summary>Reads one name.</summary>
    public static bool TryParse(string name, out TlsCipherSuite suite) =>
        Enum.TryParse(name.EndsWith(GoSuffix, StringComparison.Ordinal) ? name + "_SHA256" : name, out suite) && Enum.IsDefined(suite);
}
