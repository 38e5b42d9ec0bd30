using System.Globalization;

namespace Cairn.Server.Membership;

/// <summary>What a process shows with everything that it says to other members: who it is, and the end of the log that it found when it started.</summary>
/// <remarks>As text, in a header: the version and seven numbers, hexadecimal, separated by dashes. A later version may append some.</remarks>
/// <param name="MemberId">The member for which it speaks.</param>
/// <param name="Process">The process.</param>
/// <param name="End">The end of its log at its start: what it promised before, and more, is in it.</param>
public sealed record PeerSight(ulong MemberId, ProcessIdentity Process, LogEnd End)
{
    // Those that this version knows.
    private const int NumbersMin = 8;

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"1-{MemberId:x}-{Process.Incarnation:x}-{Process.StartCounter:x}-{Process.Nonce:x}-{End.Term:x}-{End.LastTerm:x}-{End.LastIndex:x}");

    /// <summary>Reads the text.</summary>
    /// <param name="text">The text; null if there was none.</param>
    /// <returns>What it says; null if it says nothing.</returns>
    public static PeerSight? Parse(string? text)
    {
        var words = text?.Split('-') ?? [];
        var numbers = new ulong[NumbersMin];
        for (var i = 0; i < NumbersMin; i++)
        {
            if (i >= words.Length || !ulong.TryParse(words[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out numbers[i]))
            {
                return null;
            }
        }

        return new PeerSight(numbers[1], new ProcessIdentity(numbers[2], numbers[3], numbers[4]), new LogEnd(numbers[5], numbers[6], numbers[7]));
    }
}
