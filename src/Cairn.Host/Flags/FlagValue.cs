using System.Globalization;

namespace Cairn.Host.Flags;

/// <summary>Reads values by their kind, and refuses them in the words of Go's flag package and of etcd.</summary>
internal static class FlagValue
{
    private const string ParseError = "parse error";
    private const string RangeError = "value out of range";

    /// <summary>What is wrong with a value; null if nothing is.</summary>
    public static string? Fault(FlagDefinition flag, string value) => flag.Kind switch
    {
        FlagKind.Switch => TryBool(value, out _) ? null : ParseError,
        FlagKind.Integer => IntegerFault(value, long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)),
        FlagKind.Natural => IntegerFault(value, ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _)),
        FlagKind.Natural32 => IntegerFault(value, uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _)),
        FlagKind.Duration => GoDuration.TryParse(value, out _) ? null : ParseError,
        FlagKind.Urls => EtcdUrl.TryParseList(value, out _, out string? fault) ? null : fault,
        FlagKind.Choice => flag.Choices.Contains(value) ? null : "invalid value",
        _ => null,
    };

    /// <summary>Reads a switch as Go does.</summary>
    public static bool TryBool(string value, out bool result)
    {
        result = value is "1" or "t" or "T" or "true" or "TRUE" or "True";
        return result || value is "0" or "f" or "F" or "false" or "FALSE" or "False";
    }

    private static string? IntegerFault(string value, bool parsed)
    {
        if (parsed)
        {
            return null;
        }

        ReadOnlySpan<char> digits = value.StartsWith('-') ? value.AsSpan(1) : value;
        return !digits.IsEmpty && !digits.ContainsAnyExceptInRange('0', '9') && !value.StartsWith('-') ? RangeError : ParseError;
    }
}
