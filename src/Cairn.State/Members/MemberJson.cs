using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cairn.State.Members;

/// <summary>etcd's JSON of a member: the context of configuration changes, and the rows of its membership tables.</summary>
/// <remarks>
/// <code>
///   {"id":1,"peerURLs":["http://h:2380"],"isLearner":true,"name":"a","clientURLs":["http://h:2379"]}
///   {"id":1,"peerURLs":null,"isPromote":true}
///   {"id":1,"peerURLs":["http://h:2380"],"isLearner":true,"cairnIncarnation":17,"cairnStandby":true}
/// </code>
/// <para>The last two fields are not etcd's, which passes over them. Ids are unsigned 64-bit numbers; names of fields are matched as Go does, without regard to case; unknown ones are passed over.</para>
/// <para>Source: etcd server/etcdserver/api/membership/member.go.</para>
/// </remarks>
public static class MemberJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Encodes a member.</summary>
    /// <param name="member">The member.</param>
    /// <returns>UTF-8 JSON.</returns>
    public static byte[] Encode(MemberRecord member) => Encode(member, isPromotion: false);

    /// <summary>Encodes the context of the change that gives a learner its vote.</summary>
    /// <param name="memberId">The learner.</param>
    /// <returns>UTF-8 JSON.</returns>
    public static byte[] EncodePromotion(ulong memberId) => Encode(new MemberRecord { Id = memberId }, isPromotion: true);

    /// <summary>Reads a member.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <param name="member">What it says.</param>
    /// <param name="isPromotion">Whether it stands for giving a learner its vote.</param>
    /// <returns>False if this is no JSON of a member.</returns>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out MemberRecord? member, out bool isPromotion)
    {
        member = null;
        isPromotion = false;
        var reader = new Utf8JsonReader(json);
        try
        {
            if (!JsonDocument.TryParseValue(ref reader, out var document))
            {
                return false;
            }

            using (document)
            {
                return TryRead(document.RootElement, out member, out isPromotion);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second one: a text that is not UTF-8.
            return false;
        }
    }

    /// <summary>Reads what a member publishes of itself: {"name":"a","clientURLs":["http://h:2379"]}.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <param name="name">The name.</param>
    /// <param name="clientUrls">The URLs.</param>
    /// <returns>False if this is no JSON of attributes.</returns>
    public static bool TryParseAttributes(ReadOnlySpan<byte> json, out string name, out ImmutableArray<string> clientUrls)
    {
        var parsed = TryParse(json, out var member, out _);
        name = member?.Name ?? "";
        clientUrls = member?.ClientUrls ?? [];
        return parsed;
    }

    private static bool TryRead(JsonElement root, [NotNullWhen(true)] out MemberRecord? member, out bool isPromotion)
    {
        member = null;
        isPromotion = false;
        if (root.ValueKind != JsonValueKind.Object)
        {
            return false;
        }

        var read = new MemberRecord { Id = 0 };
        foreach (var field in root.EnumerateObject())
        {
            var value = field.Value;
            switch (field.Name.ToUpperInvariant())
            {
                case "ID" when value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var id):
                    read = read with { Id = id };
                    break;
                case "PEERURLS":
                    read = read with { PeerUrls = Strings(value) };
                    break;
                case "CLIENTURLS":
                    read = read with { ClientUrls = Strings(value) };
                    break;
                case "NAME":
                    read = read with { Name = Text(value) };
                    break;
                case "ISLEARNER":
                    read = read with { IsLearner = value.ValueKind == JsonValueKind.True };
                    break;
                case "CAIRNINCARNATION" when value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var incarnation):
                    read = read with { Incarnation = incarnation };
                    break;
                case "CAIRNSTANDBY":
                    read = read with { IsStandby = value.ValueKind == JsonValueKind.True };
                    break;
                case "ISPROMOTE":
                    isPromotion = value.ValueKind == JsonValueKind.True;
                    break;
                default:
                    break;
            }
        }

        member = read with { IsStandby = read.IsLearner && read.IsStandby };
        return true;
    }

    private static ImmutableArray<string> Strings(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(Text)] : [];

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() ?? "" : "";

    private static byte[] Encode(MemberRecord member, bool isPromotion)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        writer.WriteNumber("id", member.Id);
        WriteStrings(writer, "peerURLs", member.PeerUrls);
        if (member.IsLearner)
        {
            writer.WriteBoolean("isLearner", true);
        }

        if (member.Name.Length > 0)
        {
            writer.WriteString("name", member.Name);
        }

        if (member.ClientUrls.Length > 0)
        {
            WriteStrings(writer, "clientURLs", member.ClientUrls);
        }

        if (member.Incarnation != 0)
        {
            writer.WriteNumber("cairnIncarnation", member.Incarnation);
        }

        if (member.IsStandby)
        {
            writer.WriteBoolean("cairnStandby", true);
        }

        if (isPromotion)
        {
            writer.WriteBoolean("isPromote", true);
        }

        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteStrings(Utf8JsonWriter writer, string name, ImmutableArray<string> values)
    {
        if (values.IsDefaultOrEmpty)
        {
            writer.WriteNull(name);
            return;
        }

        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }
}
