using System.Globalization;
using System.Text;

namespace Cairn.Raft.Membership;

/// <summary>Prints changes as traces do.</summary>
internal static class ConfChangeText
{
    public static string Of(in ConfChange change) =>
        string.Create(CultureInfo.InvariantCulture, $"{{ConfChange{change.Type} {change.MemberId} {Of(change.Context)} {change.Id}}}");

    public static string Of(ConfChangeV2 change)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{{ConfChangeTransition{change.Transition} [");
        for (var i = 0; i < change.Changes.Length; i++)
        {
            var step = change.Changes[i];
            text.Append(CultureInfo.InvariantCulture, $"{(i > 0 ? " " : string.Empty)}{{ConfChange{step.Type} {step.MemberId}}}");
        }

        return text.Append(CultureInfo.InvariantCulture, $"] {Of(change.Context)}}}").ToString();
    }

    private static string Of(ReadOnlyMemory<byte> context) => $"[{string.Join(' ', context.ToArray())}]";
}
