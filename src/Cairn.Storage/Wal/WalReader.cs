using System.Buffers;
using System.Globalization;

namespace Cairn.Storage.Wal;

/// <summary>Reads the segments of a log from the one that holds an index, in order. Owned by one opening; not thread-safe.</summary>
internal sealed class WalReader
{
    private const int SeedFrameBytes = 24; // The longest first record of a segment: eight bytes of length, up to eight of record, padding.

    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly List<(string Path, long End)> _roomy = [];
    private byte[] _buffer = [];

    /// <summary>Lists a log.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the log.</param>
    public WalReader(IDisk disk, string directory)
    {
        _disk = disk;
        _directory = directory;
        Names = ListSegments(disk, directory);
    }

    /// <summary>All segments, oldest first.</summary>
    public IReadOnlyList<SegmentName> Names { get; }

    /// <summary>Where the last segment read ends.</summary>
    public SegmentEnd End { get; private set; }

    /// <summary>The bytes of the last segment read, from the first one that may never have been synced to the end. Valid until the next read.</summary>
    public ReadOnlyMemory<byte> Unproven => _buffer.AsMemory(End.Unproven, End.Offset - End.Unproven);

    /// <summary>Everything in the last segment read, up to its last byte that is not zero. Valid until the next read.</summary>
    public ReadOnlyMemory<byte> Everything => _buffer.AsMemory(0, Length - Zeros());

    /// <summary>Length of the file of the last segment read.</summary>
    public int Length { get; private set; }

    /// <summary>Names the segments of a log.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the log.</param>
    /// <returns>Oldest first; empty if there is no log.</returns>
    public static IReadOnlyList<SegmentName> ListSegments(IDisk disk, string directory)
    {
        var names = new List<SegmentName>();
        if (disk.DirectoryExists(directory))
        {
            foreach (var file in disk.List(directory))
            {
                if (SegmentName.TryParse(file, out var name))
                {
                    names.Add(name);
                }
            }
        }

        names.Sort((left, right) => left.Sequence.CompareTo(right.Sequence));
        return names;
    }

    /// <summary>Finds the segment with which to begin in order to see every entry above an index.</summary>
    /// <param name="afterIndex">The index.</param>
    /// <param name="atBest">A lower one; it is gone back as far as this if the segments are there.</param>
    /// <param name="bytesMax">Segments are gone back to for this only while those before them are smaller together.</param>
    /// <returns>Place in <see cref="Names"/>.</returns>
    /// <exception cref="CorruptionException">No segment reaches back to the index, or one is missing.</exception>
    public int FindStart(ulong afterIndex, ulong atBest = ulong.MaxValue, long bytesMax = long.MaxValue)
    {
        var start = Names.Count - 1;
        while (start >= 0 && Names[start].FirstIndex > afterIndex)
        {
            start--;
        }

        if (start < 0)
        {
            throw new CorruptionException(
                PathOf(Names[0]), 0, string.Create(CultureInfo.InvariantCulture, $"the log does not reach back to index {afterIndex + 1}"));
        }

        for (var i = start + 1; i < Names.Count; i++)
        {
            if (Names[i].Sequence != Names[i - 1].Sequence + 1)
            {
                throw new CorruptionException(PathOf(Names[i]), 0, $"the segment before it is missing; the one before that is {Names[i - 1]}");
            }
        }

        for (long bytes = 0; start > 0 && bytes < bytesMax && Names[start].FirstIndex > atBest && Names[start - 1].Sequence + 1 == Names[start].Sequence; start--)
        {
            using var file = _disk.Open(PathOf(Names[start - 1]), OpenIntent.Read);
            bytes += file.Length;
        }

        return start;
    }

    /// <summary>Finds the oldest segment from which on none is missing.</summary>
    /// <returns>Place in <see cref="Names"/>.</returns>
    public int FindOldest()
    {
        var start = Names.Count - 1;
        while (start > 0 && Names[start - 1].Sequence + 1 == Names[start].Sequence)
        {
            start--;
        }

        return start;
    }

    /// <summary>Reads all segments from one on.</summary>
    /// <param name="start">Place in <see cref="Names"/>.</param>
    /// <param name="replay">Takes in what they hold.</param>
    /// <exception cref="CorruptionException">Something that was synced is damaged.</exception>
    public void ReadFrom(int start, WalReplay replay)
    {
        for (var i = start; i < Names.Count; i++)
        {
            var path = PathOf(Names[i]);
            Read(path);
            End = SegmentEnd(path, SeedBehind(i));
            replay.Take(path, _buffer.AsMemory(0, End.Offset));
            if (i + 1 < Names.Count && End.Offset < Length)
            {
                _roomy.Add((path, End.Offset));
            }
        }
    }

    /// <summary>Cuts the segments before the last one at their ends: they were when they were left, but a power cut takes that back, and each keeps the room of a whole one.</summary>
    public void GiveBackRoom() => _roomy.ForEach(segment => Cut(_disk, segment.Path, segment.End));

    /// <summary>Cuts a segment that is left, if the disk lets it.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="path">The segment.</param>
    /// <param name="end">Where its last good batch ends.</param>
    public static void Cut(IDisk disk, string path, long end)
    {
        try
        {
            using var left = disk.Open(path, OpenIntent.Write);
            left.SetLength(end);
        }
        catch (IOException)
        {
            // What is behind the end is not read: it costs nothing but room, and is cut at the next start.
        }
    }

    /// <summary>Gives the memory back for the next reader: a segment is large. Nothing that was read may be used any more.</summary>
    public void Return()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    /// <summary>Reads segments from one on, up to the first damage to what is needed.</summary>
    /// <param name="start">Place in <see cref="Names"/>.</param>
    /// <param name="replay">Takes in what is sound.</param>
    /// <param name="afterIndex">Entries up to this index are not needed.</param>
    /// <returns>Whether nothing that is needed is damaged.</returns>
    public bool ReadSound(int start, WalReplay replay, ulong afterIndex)
    {
        var path = "";
        var at = start;
        try
        {
            for (; at < Names.Count; at++)
            {
                path = PathOf(Names[at]);
                Read(path);
                End = SegmentEnd(path, SeedBehind(at));
                replay.Take(path, _buffer.AsMemory(0, End.Offset));
            }

            return true;
        }
        catch (CorruptionException damage) when (damage.Path == path && replay.LastTaken != path)
        {
            // Each record is chained to those before it: up to the damage they are what was written.
            replay.Take(path, _buffer.AsMemory(0, (int)damage.Offset));
            return replay.LastIndex < afterIndex && TryReadBehind(at, (int)damage.Offset, replay, afterIndex);
        }
        catch (CorruptionException)
        {
            // The head of the next segment, or a gap: what was taken in before counts.
            return false;
        }
    }

    /// <summary>Goes on behind a damage, if no entry that is needed can lie in between.</summary>
    private bool TryReadBehind(int at, int damage, WalReplay replay, ulong afterIndex)
    {
        try
        {
            if (!SegmentScan.TryFindBehind(PathOf(Names[at]), _buffer.AsSpan(0, Length), damage, SeedBehind(at), out var sound) || sound.FirstIndex > afterIndex + 1)
            {
                return false;
            }

            End = sound.End;
            replay.SkipTo(sound.FirstIndex - 1);
            replay.Take(PathOf(Names[at]), _buffer.AsMemory(sound.Begin, End.Offset - sound.Begin));
            ReadFrom(at + 1, replay);
            return true;
        }
        catch (CorruptionException)
        {
            // Another damage: what was taken in before counts.
            return false;
        }
    }

    /// <summary>Path of a segment.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The path.</returns>
    public string PathOf(SegmentName name) => $"{_directory}/{name}";

    private SegmentEnd SegmentEnd(string path, uint? next) => SegmentScan.Find(path, _buffer.AsSpan(0, Length), next);

    private void Read(string path)
    {
        using var file = _disk.Open(path, OpenIntent.Read);
        if (file.Length > Array.MaxLength)
        {
            throw new CorruptionException(path, 0, $"{file.Length} bytes are no segment");
        }

        Length = (int)file.Length;
        if (_buffer.Length < Length)
        {
            Return();
            _buffer = ArrayPool<byte>.Shared.Rent(Length);
        }

        var read = file.Read(0, _buffer.AsSpan(0, Length));
        Invariant.Holds(read == Length, $"{path} {read} {Length}");
    }

    /// <summary>The checksum with which the segment behind one continues; null behind the last.</summary>
    private uint? SeedBehind(int at) => at + 1 < Names.Count ? ReadSeed(PathOf(Names[at + 1])) : null;

    private uint ReadSeed(string path)
    {
        using var file = _disk.Open(path, OpenIntent.Read);
        Span<byte> head = stackalloc byte[SeedFrameBytes];
        var length = file.Read(0, head);
        return WalFrame.TryRead(head[..length], 0, out var frame) && frame.Type == WalRecordType.Crc
            ? frame.Crc
            : throw new CorruptionException(path, 0, "the segment does not begin with a checksum record");
    }

    private int Zeros() => Length - 1 - _buffer.AsSpan(0, Length).LastIndexOfAnyExcept((byte)0);
}
