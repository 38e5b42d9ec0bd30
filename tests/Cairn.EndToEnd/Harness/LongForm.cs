using System.Globalization;

namespace Cairn.EndToEnd.Harness;

/// <summary>How much more than the gate a run was asked to try, by environment variables.</summary>
internal static class LongForm
{
    /// <summary>Reads a number.</summary>
    /// <param name="variable">Its variable.</param>
    /// <param name="otherwise">What it is if the variable is not set.</param>
    /// <returns>The number.</returns>
    public static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
