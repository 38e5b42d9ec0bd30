using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Cairn.Raft.Wire;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Revisions;

namespace Cairn.Storage.Manifest;

/// <summary>How a manifest is laid out. Little-endian:</summary>
/// <remarks>
/// <code>
/// header   magic (8)  format (u32)  zero (u32)  number (u64)  CRC-32C of these (u32)
/// section  tag (u32)  length (u32)  CRC-32C (u32)  payload
/// …
/// end      0 (u32)    0 (u32)       CRC-32C (u32)
/// </code>
/// The checksum of a section covers tag, length and payload, and goes on from that of what stands before it, so that no section can be missing or be taken
/// from another manifest. Sections that a reader does not know are skipped; what it must know raises the format. Nothing follows the end.
/// </remarks>
internal static class ManifestFormat
{
    /// <summary>How the names of manifests begin; the number follows, in decimal.</summary>
    public const string Prefix = "MANIFEST-";

    private const int Version = 1;
    private const int HeaderBytes = 28;
    private const int SectionHeaderBytes = 12;
    private const int SegmentBytes = 40;

    private static ReadOnlySpan<byte> Magic => "CAIRNMAN"u8;

    // The numbers are on disk.
    private enum Section : uint
    {
        End = 0,
        Identity = 1,
        Applied = 2,
        Configuration = 3,
        Revisions = 4,
        Segments = 5,
        Checkpoint = 6,
        SmallState = 7,
        MemberState = 8,

        // Without payload: that it is there is what it says.
        Installed = 9,
    }

    /// <summary>Names a manifest.</summary>
    /// <param name="number">Its number.</param>
    /// <returns>The file name.</returns>
    public static string NameOf(ulong number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}");

    /// <summary>Reads the number from a file name.</summary>
    /// <param name="name">Any file name.</param>
    /// <param name="number">The number.</param>
    /// <returns>Whether it is the name of a manifest.</returns>
    public static bool TryParse(string name, out ulong number)
    {
        number = 0;
        return name.StartsWith(Prefix, StringComparison.Ordinal)
            && ulong.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && name == NameOf(number);
    }

    /// <summary>Encodes.</summary>
    /// <param name="contents">What to encode.</param>
    /// <returns>The bytes of the file.</returns>
    public static ReadOnlyMemory<byte> Encode(ManifestContents contents)
    {
        var writer = new ArrayBufferWriter<byte>(1024 + contents.SmallState.Length + contents.MemberState.Length);
        var checksum = WriteHeader(writer, contents.Number);
        WriteSection(writer, ref checksum, Section.Identity, EncodeIdentity(contents.Identity));
        WriteSection(writer, ref checksum, Section.Applied, Numbers((long)contents.AppliedIndex, (long)contents.AppliedTerm));
        var configuration = new byte[ConfStateWire.Size(contents.ConfState)];
        ConfStateWire.Write(contents.ConfState, configuration);
        WriteSection(writer, ref checksum, Section.Configuration, configuration);
        var floor = contents.Compaction;
        WriteSection(writer, ref checksum, Section.Revisions, Numbers(contents.CurrentRevision, floor.Scheduled, floor.Finished));
        WriteSection(writer, ref checksum, Section.Segments, EncodeSegments(contents.Segments));
        if (contents.Checkpoint is { } checkpoint)
        {
            WriteSection(writer, ref checksum, Section.Checkpoint, [.. Numbers(checkpoint.Length), .. Encoding.UTF8.GetBytes(checkpoint.Name)]);
        }

        WriteSection(writer, ref checksum, Section.SmallState, contents.SmallState.Span);
        WriteSection(writer, ref checksum, Section.MemberState, contents.MemberState.Span);
        if (contents.IsInstalled)
        {
            WriteSection(writer, ref checksum, Section.Installed, []);
        }

        WriteSection(writer, ref checksum, Section.End, []);
        return writer.WrittenMemory;
    }

    /// <summary>Decodes and verifies.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="number">Number that it must bear.</param>
    /// <param name="bytes">All bytes of the file. Kept: the states point into them.</param>
    /// <returns>The contents.</returns>
    /// <exception cref="CorruptionException">The bytes are not what was written.</exception>
    /// <exception cref="UnknownFormatException">A later version wrote them.</exception>
    public static ManifestContents Decode(string path, ulong number, ReadOnlyMemory<byte> bytes)
    {
        var checksum = ReadHeader(path, number, bytes.Span);
        var contents = new ManifestContents { Number = number, Identity = new ManifestIdentity { Incarnation = 0 } };
        var seen = 0u;
        for (var at = HeaderBytes; ;)
        {
            var (section, payload) = ReadSection(path, at, bytes, ref checksum);
            at += SectionHeaderBytes + payload.Length;
            if (section == Section.End)
            {
                return at == bytes.Length && IsComplete(seen) ? contents : throw new CorruptionException(path, at, "not the end of the file, or sections are missing");
            }

            seen |= section <= Section.MemberState ? 1u << (int)section : 0;
            contents = Take(contents, section, payload) ?? throw new CorruptionException(path, at - payload.Length, $"section {section} does not parse");
        }
    }

    private static bool IsComplete(uint seen) =>
        (seen | (1u << (int)Section.Checkpoint)) == ((1u << ((int)Section.MemberState + 1)) - 2);

    private static ManifestContents? Take(ManifestContents contents, Section section, ReadOnlyMemory<byte> payload)
    {
        var span = payload.Span;
        return section switch
        {
            Section.Identity when span.Length >= 32 => contents with { Identity = DecodeIdentity(span) },
            Section.Applied when span.Length == 16 => contents with { AppliedIndex = (ulong)NumberAt(span, 0), AppliedTerm = (ulong)NumberAt(span, 1) },
            Section.Configuration when ConfStateWire.TryRead(payload, out var configuration) => contents with { ConfState = configuration },
            Section.Revisions when span.Length == 24 => contents with
            {
                CurrentRevision = NumberAt(span, 0),
                Compaction = new CompactionFloor(Scheduled: NumberAt(span, 1), Finished: NumberAt(span, 2)),
            },
            Section.Segments when span.Length % SegmentBytes == 0 => contents with { Segments = DecodeSegments(span) },
            Section.Checkpoint when span.Length > 8 => contents with { Checkpoint = new CheckpointFile(Encoding.UTF8.GetString(span[8..]), NumberAt(span, 0)) },
            Section.SmallState => contents with { SmallState = payload },
            Section.MemberState => contents with { MemberState = payload },
            Section.Installed when span.IsEmpty => contents with { IsInstalled = true },
            > Section.Installed => contents,
            _ => null,
        };
    }

    private static uint WriteHeader(ArrayBufferWriter<byte> writer, ulong number)
    {
        var header = writer.GetSpan(HeaderBytes)[..HeaderBytes];
        header.Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], number);
        var checksum = Crc32C.Update(0, header[..24]);
        BinaryPrimitives.WriteUInt32LittleEndian(header[24..], checksum);
        writer.Advance(HeaderBytes);
        return checksum;
    }

    private static uint ReadHeader(string path, ulong number, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || !bytes.StartsWith(Magic))
        {
            throw new CorruptionException(path, 0, "not the header of a manifest");
        }

        var checksum = Crc32C.Update(0, bytes[..24]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]) != checksum)
        {
            throw new CorruptionException(path, 0, "header checksum");
        }

        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        if (version != Version)
        {
            throw new UnknownFormatException(path, version, Version);
        }

        var actual = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        return actual == number ? checksum : throw new CorruptionException(path, 0, $"manifest {actual} under the name of {number}");
    }

    private static void WriteSection(ArrayBufferWriter<byte> writer, ref uint checksum, Section section, ReadOnlySpan<byte> payload)
    {
        var header = writer.GetSpan(SectionHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)section);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], payload.Length);
        checksum = Crc32C.Update(Crc32C.Update(checksum, header[..8]), payload);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], checksum);
        writer.Advance(SectionHeaderBytes);
        writer.Write(payload);
    }

    private static (Section Section, ReadOnlyMemory<byte> Payload) ReadSection(string path, int at, ReadOnlyMemory<byte> bytes, ref uint checksum)
    {
        if (bytes.Length - at < SectionHeaderBytes)
        {
            throw new CorruptionException(path, at, "the file ends inside a section");
        }

        var header = bytes.Span[at..];
        var length = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        if (length < 0 || length > bytes.Length - at - SectionHeaderBytes)
        {
            throw new CorruptionException(path, at, $"section of {length} bytes");
        }

        var payload = bytes.Slice(at + SectionHeaderBytes, length);
        checksum = Crc32C.Update(Crc32C.Update(checksum, header[..8]), payload.Span);
        return checksum == BinaryPrimitives.ReadUInt32LittleEndian(header[8..])
            ? ((Section)BinaryPrimitives.ReadUInt32LittleEndian(header), payload)
            : throw new CorruptionException(path, at, "section checksum");
    }

    private static byte[] EncodeIdentity(ManifestIdentity identity) =>
    [
        .. Numbers((long)identity.ClusterId, (long)identity.MemberId, (long)identity.Incarnation, (long)identity.StartCounter),
        .. Encoding.UTF8.GetBytes(identity.Token),
    ];

    private static ManifestIdentity DecodeIdentity(ReadOnlySpan<byte> bytes) => new()
    {
        ClusterId = (ulong)NumberAt(bytes, 0),
        MemberId = (ulong)NumberAt(bytes, 1),
        Incarnation = (ulong)NumberAt(bytes, 2),
        StartCounter = (ulong)NumberAt(bytes, 3),
        Token = Encoding.UTF8.GetString(bytes[32..]),
    };

    private static byte[] EncodeSegments(RevisionLogEnds ends)
    {
        var bytes = new byte[ends.Segments.Length * SegmentBytes];
        for (var i = 0; i < ends.Segments.Length; i++)
        {
            var segment = ends.Segments[i];
            var span = bytes.AsSpan(i * SegmentBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(span, segment.Id);
            BinaryPrimitives.WriteInt32LittleEndian(span[4..], segment.Sealed ? 1 : 0);
            BinaryPrimitives.WriteInt64LittleEndian(span[8..], segment.End);
            BinaryPrimitives.WriteInt64LittleEndian(span[16..], segment.LiveBytes);
            BinaryPrimitives.WriteInt64LittleEndian(span[24..], segment.Revisions.FirstMain);
            BinaryPrimitives.WriteInt64LittleEndian(span[32..], segment.Revisions.LastMain);
        }

        return bytes;
    }

    private static RevisionLogEnds DecodeSegments(ReadOnlySpan<byte> bytes)
    {
        var segments = new SegmentState[bytes.Length / SegmentBytes];
        for (var i = 0; i < segments.Length; i++)
        {
            var span = bytes[(i * SegmentBytes)..];
            segments[i] = new SegmentState(
                BinaryPrimitives.ReadUInt32LittleEndian(span),
                End: NumberAt(span, 1),
                LiveBytes: NumberAt(span, 2),
                new RevisionRange(FirstMain: NumberAt(span, 3), LastMain: NumberAt(span, 4)),
                Sealed: BinaryPrimitives.ReadInt32LittleEndian(span[4..]) != 0);
        }

        return new RevisionLogEnds([.. segments]);
    }

    private static byte[] Numbers(params ReadOnlySpan<long> numbers)
    {
        var bytes = new byte[numbers.Length * sizeof(long)];
        for (var i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(i * sizeof(long)), numbers[i]);
        }

        return bytes;
    }

    private static long NumberAt(ReadOnlySpan<byte> bytes, int index) => BinaryPrimitives.ReadInt64LittleEndian(bytes[(index * sizeof(long))..]);
}
