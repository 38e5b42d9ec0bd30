using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cairn.State.Members;

namespace Cairn.State.Schema;

/// <summary>Writes the members as the JSON of etcd's v2 store, which is the data of its raft snapshots; <see cref="MembershipReplay"/> reads it.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v2store/store.go, api/membership/storev2.go.</remarks>
public static class V2Tree
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Encodes.</summary>
    /// <param name="members">The members.</param>
    /// <returns>UTF-8 JSON.</returns>
    public static byte[] Encode(MemberTable members)
    {
        ArgumentNullException.ThrowIfNull(members);
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        writer.WritePropertyName("Root");
        WriteDirectory(writer, "/", () =>
        {
            WriteDirectory(writer, "/0", () => WriteCluster(writer, members));
            WriteDirectory(writer, "/1", static () => { });
        });
        writer.WriteNumber("CurrentIndex", 0);
        writer.WriteNumber("CurrentVersion", 2);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteCluster(Utf8JsonWriter writer, MemberTable members)
    {
        WriteDirectory(writer, "/0/members", () =>
        {
            foreach (var member in members.Members)
            {
                var path = string.Create(CultureInfo.InvariantCulture, $"/0/members/{member.Id:x}");
                WriteDirectory(writer, path, () =>
                {
                    WriteFile(writer, $"{path}/raftAttributes", Attributes(raft => WriteRaft(raft, member)));
                    if (member.Name.Length > 0 || !member.ClientUrls.IsEmpty)
                    {
                        WriteFile(writer, $"{path}/attributes", Attributes(published => WritePublished(published, member)));
                    }
                });
            }
        });
        WriteDirectory(writer, "/0/removed_members", () =>
        {
            foreach (var id in members.Removed)
            {
                WriteFile(writer, string.Create(CultureInfo.InvariantCulture, $"/0/removed_members/{id:x}"), "");
            }
        });
        if (members.ClusterVersion is { } version)
        {
            WriteFile(writer, "/0/version", version);
        }
    }

    private static void WriteRaft(Utf8JsonWriter writer, MemberRecord member)
    {
        WriteStrings(writer, "peerURLs", member.PeerUrls);
        if (member.IsLearner)
        {
            writer.WriteBoolean("isLearner", true);
        }
    }

    private static void WritePublished(Utf8JsonWriter writer, MemberRecord member)
    {
        writer.WriteString("name", member.Name);
        WriteStrings(writer, "clientURLs", member.ClientUrls);
    }

    private static void WriteStrings(Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    private static string Attributes(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
        writer.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteDirectory(Utf8JsonWriter writer, string path, Action children)
    {
        WriteHead(writer, path, value: "");
        writer.WriteStartObject("Children");
        children();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteFile(Utf8JsonWriter writer, string path, string value)
    {
        WriteHead(writer, path, value);
        writer.WriteNull("Children");
        writer.WriteEndObject();
    }

    private static void WriteHead(Utf8JsonWriter writer, string path, string value)
    {
        if (path != "/")
        {
            writer.WritePropertyName(path[(path.LastIndexOf('/') + 1)..]);
        }

        writer.WriteStartObject();
        writer.WriteString("Path", path);
        writer.WriteNumber("CreatedIndex", 0);
        writer.WriteNumber("ModifiedIndex", 0);
        writer.WriteString("ExpireTime", "0001-01-01T00:00:00Z");
        writer.WriteString("Value", value);
    }
}
