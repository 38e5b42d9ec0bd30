using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Cairn.State.Members;

namespace Cairn.Server.Membership;

/// <summary>The membership as one member tells it to another. Source: etcd server/etcdserver/api/etcdhttp/peer.go.</summary>
internal static class MemberPages
{
    /// <summary>Describes all members.</summary>
    /// <param name="members">The members.</param>
    /// <returns>A JSON array and a line end.</returns>
    public static byte[] Describe(MemberTable members)
    {
        var text = new List<byte>("["u8.ToArray());
        foreach (var member in members.Members)
        {
            if (text.Count > 1)
            {
                text.Add((byte)',');
            }

            text.AddRange(MemberJson.Encode(member));
        }

        text.AddRange("]\n"u8);
        return [.. text];
    }

    /// <summary>Reads such a description.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <param name="members">The members.</param>
    /// <returns>False if it is none.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> json, out ImmutableArray<MemberRecord> members)
    {
        members = [];
        try
        {
            using var document = JsonDocument.Parse(json);
            var read = ImmutableArray.CreateBuilder<MemberRecord>();
            foreach (var element in document.RootElement.EnumerateArray())
            {
                if (!MemberJson.TryParse(Encoding.UTF8.GetBytes(element.GetRawText()), out var member, out _))
                {
                    return false;
                }

                read.Add(member);
            }

            members = read.ToImmutable();
            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
