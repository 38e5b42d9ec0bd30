using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Server.Proposals;

/// <summary>Encodes a request as the log carries it: an InternalRaftRequest with a header, written once, straight from the request.</summary>
/// <remarks>Field numbers: etcdserverpb.InternalRaftRequest. The request is written first: its field comes before the header's (100), except those of 1000 and more.</remarks>
internal static class ProposalEncoding
{
    private const int HeaderField = 100;

    /// <summary>Encodes a request.</summary>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <param name="request">The request.</param>
    /// <param name="header">Id, user and auth revision.</param>
    /// <returns>The payload of an entry.</returns>
    public static byte[] Encode(int field, IMessage request, RequestHeader header)
    {
        var requestBytes = request.CalculateSize();
        var headerBytes = header.CalculateSize();
        var encoded = new byte[Size(field, requestBytes) + Size(HeaderField, headerBytes)];
        var rest = encoded.AsSpan();
        if (field < HeaderField)
        {
            rest = Write(rest, field, request, requestBytes);
            rest = Write(rest, HeaderField, header, headerBytes);
        }
        else
        {
            rest = Write(rest, HeaderField, header, headerBytes);
            rest = Write(rest, field, request, requestBytes);
        }

        Invariant.Holds(rest.IsEmpty);
        return encoded;
    }

    private static int Size(int field, int bytes) =>
        CodedOutputStream.ComputeTagSize(field) + CodedOutputStream.ComputeLengthSize(bytes) + bytes;

    private static Span<byte> Write(Span<byte> destination, int field, IMessage message, int bytes)
    {
        const int lengthDelimited = 2;
        destination = WriteVarint(destination, ((uint)field << 3) | lengthDelimited);
        destination = WriteVarint(destination, (uint)bytes);
        message.WriteTo(destination[..bytes]);
        return destination[bytes..];
    }

    private static Span<byte> WriteVarint(Span<byte> destination, uint value)
    {
        var at = 0;
        while (value >= 0x80)
        {
            destination[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[at++] = (byte)value;
        return destination[at..];
    }
}
