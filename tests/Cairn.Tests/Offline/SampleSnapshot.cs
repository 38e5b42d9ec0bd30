using System.Buffers.Binary;
using System.Security.Cryptography;
using Cairn.Protocol;
using Cairn.Tests.Bbolt;
using Google.Protobuf;

namespace Cairn.Tests.Offline;

/// <summary>A small snapshot, as etcd writes it.</summary>
internal static class SampleSnapshot
{
    /// <summary>Adds what a snapshot that was saved ends with.</summary>
    public static byte[] WithChecksum(byte[] image) => [.. image, .. SHA256.HashData(image)];

    /// <summary>Two keys, one of them deleted, at revision 4.</summary>
    public static byte[] Image() => new Model
    {
        ["key"] = new ModelBucket
        {
            [Revision(2, isTombstone: false)] = new KeyValue { Key = ByteString.CopyFromUtf8("a"), Value = ByteString.CopyFromUtf8("1"), CreateRevision = 2, ModRevision = 2, Version = 1 }.ToByteArray(),
            [Revision(3, isTombstone: false)] = new KeyValue { Key = ByteString.CopyFromUtf8("b"), Value = ByteString.CopyFromUtf8("2"), CreateRevision = 3, ModRevision = 3, Version = 1 }.ToByteArray(),
            [Revision(4, isTombstone: true)] = new KeyValue { Key = ByteString.CopyFromUtf8("a") }.ToByteArray(),
        },
        ["meta"] = new ModelBucket
        {
            ["consistent_index"u8.ToArray()] = [0, 0, 0, 0, 0, 0, 0, 9],
            ["term"u8.ToArray()] = [0, 0, 0, 0, 0, 0, 0, 2],
            ["storageVersion"u8.ToArray()] = "3.6.0"u8.ToArray(),
        },
    }.Write(pageSize: 4096);

    private static byte[] Revision(long main, bool isTombstone)
    {
        var key = new byte[isTombstone ? 18 : 17];
        BinaryPrimitives.WriteInt64BigEndian(key, main);
        key[8] = (byte)'_';
        if (isTombstone)
        {
            key[17] = (byte)'t';
        }

        return key;
    }
}
