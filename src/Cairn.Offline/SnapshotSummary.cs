using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Cairn.Bbolt;
using Cairn.Protocol;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.Offline;

/// <summary>What is in a bbolt image of etcd's schema.</summary>
/// <param name="Hash">CRC-32C over the names of all buckets and all their rows.</param>
/// <param name="Revision">Revision of the newest row.</param>
/// <param name="LiveKeys">Keys that exist at that revision.</param>
/// <param name="Bytes">Size of the image.</param>
/// <param name="Version">Version of the schema; empty before 3.6.</param>
/// <remarks>Source: etcd etcdutl/snapshot/v3_snapshot.go (3.6).</remarks>
internal sealed record SnapshotSummary(uint Hash, long Revision, int LiveKeys, long Bytes, string Version)
{
    private const int RevisionBytes = 17;

    /// <summary>Reads all rows.</summary>
    /// <param name="path">Of the file, for messages.</param>
    /// <param name="image">The image.</param>
    /// <param name="progress">Is told how many bytes were read.</param>
    /// <param name="cancelled">Ends the reading.</param>
    /// <returns>The summary.</returns>
    /// <exception cref="OfflineException">A row of the key space is none.</exception>
    public static SnapshotSummary Of(string path, BboltFile image, Progress progress, CancellationToken cancelled)
    {
        uint crc = 0;
        long revision = 0;
        string version = "";
        var live = new HashSet<UInt128>();
        foreach (BboltBucket bucket in image.Buckets())
        {
            crc = Crc32C.Update(crc, bucket.Name.Span);
            bool isKeySpace = bucket.Name.Span.SequenceEqual("key"u8);
            bool isMeta = bucket.Name.Span.SequenceEqual("meta"u8);
            for (BboltCursor row = bucket.OpenCursor(); row.MoveNext();)
            {
                cancelled.ThrowIfCancellationRequested();
                crc = Crc32C.Update(Crc32C.Update(crc, row.Key), row.Value);
                progress.Report(row.Key.Length + row.Value.Length);
                if (isKeySpace)
                {
                    revision = TakeRow(path, row, live);
                }
                else if (isMeta && row.Key.SequenceEqual("storageVersion"u8))
                {
                    version = Encoding.UTF8.GetString(row.Value);
                }
            }
        }

        return new SnapshotSummary(crc, revision, live.Count, image.ImageLength, version);
    }

    private static long TakeRow(string path, BboltCursor row, HashSet<UInt128> live)
    {
        bool isTombstone = row.Key.Length == RevisionBytes + 1;
        if (row.Key.Length != RevisionBytes && !isTombstone)
        {
            throw new OfflineException($"{path}: offset {row.Offset}: a row of the key space has a key of {row.Key.Length} bytes, expected {RevisionBytes}");
        }

        try
        {
            // Keys are told apart by a cryptographic hash: a set of the keys themselves would need many times the memory.
            UInt128 key = BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(KeyValue.Parser.ParseGuarded(row.Value).Key.Span));
            _ = isTombstone ? live.Remove(key) : live.Add(key);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new OfflineException($"{path}: offset {row.Offset}: a row of the key space is no key with its value: {e.Message}");
        }

        return BinaryPrimitives.ReadInt64BigEndian(row.Key);
    }
}
