using System.Text;
using Cairn.Protocol;
using Cairn.Protocol.Membership;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Google.Protobuf;

namespace Cairn.State.Entries;

/// <summary>Reads what a normal entry asks for, in any of the forms that etcd ever wrote.</summary>
/// <remarks>
/// Beside InternalRaftRequest there are requests of the v2 API, bare or inside its field 2: etcd 3.5 publishes a member's attributes and the cluster
/// version so. They are told apart by field 2, which is text in one and a message in the other. Source: etcd
/// server/etcdserver/apply_v2.go.
/// </remarks>
internal static class EntryDecoder
{
    private const ulong V2Tag = (2 << 3) | 2;
    private const string MembersPrefix = "/0/members/";
    private const string AttributesSuffix = "/attributes";
    private const string VersionPath = "/0/version";

    /// <summary>Reads a payload that is not empty.</summary>
    /// <returns>
    /// The request in its newest form; one without an operation for a v2 request that means nothing any more; null if these bytes are neither.
    /// </returns>
    public static InternalRaftRequest? Decode(ReadOnlyMemory<byte> data)
    {
        if (TryFindField2(data.Span, out var field2))
        {
            return IsMethod(field2) ? FromV2(data.Span) : FromV2(field2);
        }

        try
        {
            return InternalRaftRequest.Parser.ParseGuarded(data.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>Says whether an entry is a write of the v2 API's own keys, which this store does not have.</summary>
    /// <param name="data">Payload of a normal entry.</param>
    /// <returns>True for a v2 request that changes something below "/1", where its keys are.</returns>
    public static bool ChangesV2Keys(ReadOnlySpan<byte> data)
    {
        if (!TryFindField2(data, out var field2))
        {
            return false;
        }

        var v2 = new V2Request(IsMethod(field2) ? data : field2);
        return v2.Path.StartsWith("/1"u8) && (v2.Method.SequenceEqual("PUT"u8) || v2.Method.SequenceEqual("POST"u8) || v2.Method.SequenceEqual("DELETE"u8));
    }

    private static bool TryFindField2(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> field)
    {
        field = default;
        var reader = new WireReader(data);
        while (reader.TryReadTag(out var tag))
        {
            if (tag == V2Tag)
            {
                field = reader.ReadBytes();
                return !reader.IsBroken;
            }

            reader.Skip(tag);
        }

        return false;
    }

    private static bool IsMethod(ReadOnlySpan<byte> field) =>
        field.SequenceEqual("PUT"u8) || field.SequenceEqual("POST"u8) || field.SequenceEqual("DELETE"u8) || field.SequenceEqual("QGET"u8)
        || field.SequenceEqual("SYNC"u8);

    private static InternalRaftRequest? FromV2(ReadOnlySpan<byte> data)
    {
        var v2 = new V2Request(data);
        if (v2.IsBroken)
        {
            return null;
        }

        var request = new InternalRaftRequest { Header = new RequestHeader { ID = v2.Id } };
        if (v2.Method.SequenceEqual("PUT"u8))
        {
            Translate(Encoding.UTF8.GetString(v2.Path), v2.Value, request);
        }

        return request;
    }

    private static void Translate(string path, ReadOnlySpan<byte> value, InternalRaftRequest request)
    {
        if (path == VersionPath)
        {
            request.ClusterVersionSet = new ClusterVersionSetRequest { Ver = Encoding.UTF8.GetString(value) };
            return;
        }

        if (!path.StartsWith(MembersPrefix, StringComparison.Ordinal) || !path.EndsWith(AttributesSuffix, StringComparison.Ordinal))
        {
            return;
        }

        var hex = path.AsSpan(MembersPrefix.Length..^AttributesSuffix.Length);
        if (ulong.TryParse(hex, System.Globalization.NumberStyles.AllowHexSpecifier, null, out var id)
            && MemberJson.TryParseAttributes(value, out var name, out var clientUrls))
        {
            var attributes = new Attributes { Name = name };
            attributes.ClientUrls.AddRange(clientUrls);
            request.ClusterMemberAttrSet = new ClusterMemberAttrSetRequest { MemberID = id, MemberAttributes = attributes };
        }
    }

    /// <summary>What means anything of a request of the v2 API.</summary>
    private readonly ref struct V2Request
    {
        public V2Request(ReadOnlySpan<byte> data)
        {
            var reader = new WireReader(data);
            while (reader.TryReadTag(out var tag))
            {
                switch (tag)
                {
                    case 0x08:
                        Id = reader.ReadVarint();
                        break;
                    case 0x12:
                        Method = reader.ReadBytes();
                        break;
                    case 0x1A:
                        Path = reader.ReadBytes();
                        break;
                    case 0x22:
                        Value = reader.ReadBytes();
                        break;
                    default:
                        reader.Skip(tag);
                        break;
                }
            }

            IsBroken = reader.IsBroken;
        }

        public bool IsBroken { get; }

        public ulong Id { get; }

        public ReadOnlySpan<byte> Method { get; }

        public ReadOnlySpan<byte> Path { get; }

        public ReadOnlySpan<byte> Value { get; }
    }
}
