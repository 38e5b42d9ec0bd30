using System.Text.Json.Nodes;

namespace Cairn.EndToEnd.Differential;

/// <summary>Takes out of an answer what two servers cannot have in common: their ids, their terms, what they drew by chance or read from the clock.</summary>
internal static class Normal
{
    // Ids that a server chose are drawn from all of 63 bits; those that the questions choose are small.
    private const long SmallId = 1_000_000;

    private static readonly HashSet<string> Private = new(StringComparer.Ordinal) { "cluster_id", "member_id", "raft_term", "token", "TTL", "memberID", "peerURLs", "clientURLs" };

    /// <summary>An answer as text that can be compared.</summary>
    /// <param name="body">The answer; it is not changed.</param>
    /// <returns>Its text.</returns>
    public static string TextOf(JsonNode? body)
    {
        if (body is null)
        {
            return "";
        }

        var copy = body.DeepClone();
        Clean(copy);
        return copy.ToJsonString().Replace(",\"leases\":null", "", StringComparison.Ordinal);
    }

    private static void Clean(JsonNode node)
    {
        switch (node)
        {
            case JsonObject members:
                foreach (var (name, value) in members.ToList())
                {
                    CleanMember(members, name, value);
                }

                break;
            case JsonArray items:
                foreach (var item in items.OfType<JsonNode>())
                {
                    Clean(item);
                }

                break;
        }
    }

    private static void CleanMember(JsonObject members, string name, JsonNode? value)
    {
        if (name == "hash_revision")
        {
            // Of 3.6.
            members.Remove(name);
        }
        else if (Private.Contains(name) && value is not null)
        {
            members[name] = "*";
        }
        else if (name == "ID" && ulong.TryParse(value?.ToString(), out var id) && id > SmallId)
        {
            members[name] = "*";
        }
        else if (name == "keys" && value is JsonArray keys)
        {
            // Those of a lease, from a map of Go's.
            members[name] = string.Join(' ', keys.Select(static key => key?.ToString() ?? "").Order(StringComparer.Ordinal));
        }
        else if (name == "leases" && value is JsonArray leases)
        {
            // etcd lists leases by what is left of them. Of those that a server made for itself it is not known how many there are.
            var small = leases.Select(static lease => lease?["ID"]?.ToString() ?? "").Where(static text => long.TryParse(text, out var number) && number <= SmallId);
            members[name] = string.Join(' ', small.Order(StringComparer.Ordinal)) is { Length: > 0 } text ? text : null;
        }
        else if (value is not null)
        {
            Clean(value);
        }
    }
}
