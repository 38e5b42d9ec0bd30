using System.Buffers.Binary;
using System.Globalization;

namespace Cairn.Storage.Revisions;

/// <summary>Name and first bytes of a segment's file. Little-endian: magic (8), format (u32), number (u32), zero (12), CRC-32C of these (u32).</summary>
internal static class SegmentFormat
{
    /// <summary>Bytes before the first record.</summary>
    public const int HeaderBytes = 32;

    /// <summary>How the files of segments end.</summary>
    public const string Extension = ".segment";

    private const uint Version = 1;

    private static ReadOnlySpan<byte> Magic => "CAIRNREV"u8;

    /// <summary>Names the file of a segment.</summary>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="id">Number of the segment.</param>
    /// <returns>Path relative to the data directory.</returns>
    public static string PathOf(string directory, uint id) => $"{directory}/{NameOf(id)}";

    /// <summary>Names the file of a segment, without its directory.</summary>
    /// <param name="id">Number of the segment.</param>
    /// <returns>The name.</returns>
    public static string NameOf(uint id) => string.Create(CultureInfo.InvariantCulture, $"{id:x8}{Extension}");

    /// <summary>Reads the number of a segment from a file name.</summary>
    /// <param name="name">Any file name.</param>
    /// <param name="id">The number.</param>
    /// <returns>Whether it is the name of a segment.</returns>
    public static bool TryParse(string name, out uint id)
    {
        id = 0;
        return name.EndsWith(Extension, StringComparison.Ordinal)
            && uint.TryParse(name.AsSpan(0, name.Length - Extension.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id)
            && name == NameOf(id);
    }

    /// <summary>Fills in the header of a file.</summary>
    /// <param name="header"><see cref="HeaderBytes"/> bytes.</param>
    /// <param name="id">Number of the segment.</param>
    public static void Write(Span<byte> header, uint id)
    {
        header.Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], id);
        BinaryPrimitives.WriteUInt32LittleEndian(header[28..], Crc32C.Update(0, header[..28]));
    }

    /// <summary>Checks the header of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="id">Number that it must bear.</param>
    /// <exception cref="CorruptionException">It is not the header of that segment.</exception>
    public static void Verify(IDiskFile file, uint id)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (file.Read(0, header) != HeaderBytes)
        {
            throw new CorruptionException(file.Path, 0, "the file ends inside its header");
        }

        Span<byte> expected = stackalloc byte[HeaderBytes];
        Write(expected, id);
        if (!header.SequenceEqual(expected))
        {
            throw new CorruptionException(file.Path, 0, $"not the header of segment {id:x8}");
        }
    }

    /// <summary>Opens the file of a segment, cut at the end that a manifest names.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="state">What the manifest names.</param>
    /// <returns>The file; the caller disposes it.</returns>
    /// <exception cref="CorruptionException">It is missing, too short, or has not the header of that segment.</exception>
    public static IDiskFile OpenCut(IDisk disk, string directory, SegmentState state)
    {
        var path = PathOf(directory, state.Id);
        if (!disk.FileExists(path))
        {
            throw new CorruptionException(path, 0, "the file that the manifest names is missing");
        }

        var file = disk.Open(path, OpenIntent.Write);
        Verify(file, state.Id);
        var length = file.Length;
        if (length < state.End)
        {
            throw new CorruptionException(file.Path, length, $"the file ends here, before {state.End}");
        }

        if (length > state.End)
        {
            file.SetLength(state.End);
        }

        return file;
    }
}
