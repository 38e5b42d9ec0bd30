using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>One leaf or branch page with its overflow, in memory, every byte of its structure verified.</summary>
/// <remarks>
/// Reused from page to page, so that a walk through a file of any size needs one buffer a level. Not thread-safe. What <see cref="Load"/> accepted can be read
/// without further checks: elements lie within the page, without gap or overlap, and keys ascend.
/// </remarks>
internal sealed class Page
{
    private byte[] _bytes = [];
    private long _used;

    /// <summary>Page id; 0 for the page of an inline bucket.</summary>
    public ulong Id { get; private set; }

    /// <summary>Further pages that belong to this one.</summary>
    public uint Overflow { get; private set; }

    /// <summary>Where the page begins in the file.</summary>
    public long Offset { get; private set; }

    /// <summary>True for a leaf, false for a branch.</summary>
    public bool IsLeaf { get; private set; }

    /// <summary>Number of elements.</summary>
    public int Count { get; private set; }

    /// <summary>Reads and verifies a page.</summary>
    /// <param name="source">The file.</param>
    /// <param name="id">The page, as somebody refers to it; any number.</param>
    /// <param name="referencedAt">Where in the file the reference stands.</param>
    /// <param name="content">What its leaves must hold.</param>
    /// <param name="isRoot">Only the root of the tree of buckets may be empty; a bucket without rows lies inline.</param>
    /// <returns>Null, or what is wrong; then the page must not be used.</returns>
    public BboltFinding? Load(PageSource source, ulong id, long referencedAt, LeafContent content, bool isRoot)
    {
        if (!source.IsDataPage(id))
        {
            return new BboltFinding(referencedAt, $"reference to page {id}, but data pages are {PageFormat.FirstDataPage} to {source.HighWaterMark - 1}");
        }

        Reserve(source.PageSize, keep: 0);
        Offset = source.OffsetOf(id);
        return source.Fill(Offset, _bytes.AsSpan(0, source.PageSize))
            ?? ReadHeader(id, mayBeEmpty: isRoot && content == LeafContent.Buckets)
            ?? FillElements(source)
            ?? VerifyElements((Overflow + 1L) * source.PageSize, content)
            ?? VerifyOverflow(source.PageSize)
            ?? FillData(source)
            ?? VerifyEmpty(source)
            ?? VerifyKeyOrder();
    }

    /// <summary>Takes over and verifies the page of an inline bucket.</summary>
    /// <param name="bytes">The page.</param>
    /// <param name="offset">Where it is in the file.</param>
    /// <returns>Null, or what is wrong; then the page must not be used.</returns>
    public BboltFinding? LoadInline(ReadOnlySpan<byte> bytes, long offset)
    {
        Invariant.Holds(bytes.Length >= PageFormat.HeaderBytes);
        Reserve(bytes.Length, keep: 0);
        bytes.CopyTo(_bytes);
        Offset = offset;
        if (ReadHeader(id: 0, mayBeEmpty: true) is { } header)
        {
            return header;
        }

        if (!IsLeaf || Overflow != 0)
        {
            return new BboltFinding(Offset + PageFormat.FlagsAt, $"an inline bucket must be one leaf, but is a {Kind} with {Overflow} overflow pages");
        }

        if (VerifyTable(bytes.Length) is { } table)
        {
            return table;
        }

        if (VerifyElements(bytes.Length, LeafContent.Rows) is { } elements)
        {
            return elements;
        }

        return _used == bytes.Length
            ? VerifyKeyOrder()
            : new BboltFinding(Offset, $"an inline bucket of {bytes.Length} bytes has elements of {_used} bytes");
    }

    /// <summary>Verifies that nothing but zeros stands behind the last element, as bbolt leaves it.</summary>
    /// <param name="source">The file that the page was loaded from.</param>
    /// <returns>Null, or where something else stands: the size of the last element, or bytes that do not matter, were changed.</returns>
    public BboltFinding? VerifyRest(PageSource source)
    {
        var end = (Overflow + 1L) * source.PageSize;
        Span<byte> part = stackalloc byte[PageFormat.PageSizeMin];
        for (var at = _used; at < end; at += part.Length)
        {
            part = part[..(int)Math.Min(part.Length, end - at)];
            if (source.Fill(Offset + at, part) is { } tooShort)
            {
                return tooShort;
            }

            if (part.IndexOfAnyExcept((byte)0) is var place and >= 0)
            {
                return new BboltFinding(Offset + at + place, $"page {Id} has bytes behind its last element, which ends at offset {Offset + _used}");
            }
        }

        return null;
    }

    /// <summary>The key of an element: on a branch, a lower bound for its child's keys.</summary>
    /// <param name="index">From 0.</param>
    /// <returns>Bytes that are valid until the next load.</returns>
    public ReadOnlySpan<byte> Key(int index)
    {
        var element = ElementAt(index);
        return IsLeaf
            ? _bytes.AsSpan(element + Int32(element + PageFormat.LeafPosAt), Int32(element + PageFormat.LeafKeySizeAt))
            : _bytes.AsSpan(element + Int32(element + PageFormat.BranchPosAt), Int32(element + PageFormat.BranchKeySizeAt));
    }

    /// <summary>The value of a leaf's element.</summary>
    /// <param name="index">From 0.</param>
    /// <returns>Bytes that are valid until the next load.</returns>
    public ReadOnlySpan<byte> Value(int index)
    {
        Invariant.Holds(IsLeaf);
        var element = ElementAt(index);
        var data = element + Int32(element + PageFormat.LeafPosAt) + Int32(element + PageFormat.LeafKeySizeAt);
        return _bytes.AsSpan(data, Int32(element + PageFormat.LeafValueSizeAt));
    }

    /// <summary>The child of a branch's element.</summary>
    /// <param name="index">From 0.</param>
    /// <returns>A page id, not verified.</returns>
    public ulong Child(int index)
    {
        Invariant.Holds(!IsLeaf);
        return BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(ElementAt(index) + PageFormat.BranchChildAt));
    }

    /// <summary>Where the element's reference to its child stands.</summary>
    /// <param name="index">From 0.</param>
    /// <returns>Byte offset in the file.</returns>
    public long ChildOffset(int index) => Offset + ElementAt(index) + PageFormat.BranchChildAt;

    /// <summary>Where the element's key stands.</summary>
    /// <param name="index">From 0.</param>
    /// <returns>Byte offset in the file.</returns>
    public long KeyOffset(int index)
    {
        var element = ElementAt(index);
        return Offset + element + Int32(element + (IsLeaf ? PageFormat.LeafPosAt : PageFormat.BranchPosAt));
    }

    /// <summary>Finds the first element whose key is not below <paramref name="key"/>.</summary>
    /// <param name="key">Any bytes.</param>
    /// <returns>An index, or <see cref="Count"/> if all keys are below.</returns>
    public int FirstAtLeast(ReadOnlySpan<byte> key)
    {
        var low = 0;
        var high = Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (Key(middle).SequenceCompareTo(key) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private string Kind => IsLeaf ? "leaf" : "branch";

    private BboltFinding? ReadHeader(ulong id, bool mayBeEmpty)
    {
        var header = _bytes.AsSpan(0, PageFormat.HeaderBytes);
        Id = BinaryPrimitives.ReadUInt64LittleEndian(header);
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(header[PageFormat.FlagsAt..]);
        Count = BinaryPrimitives.ReadUInt16LittleEndian(header[PageFormat.CountAt..]);
        Overflow = BinaryPrimitives.ReadUInt32LittleEndian(header[PageFormat.OverflowAt..]);
        IsLeaf = flags == PageFormat.LeafFlag;
        if (Id != id)
        {
            return new BboltFinding(Offset, $"page {id} says that it is page {Id}");
        }

        if (flags is not (PageFormat.LeafFlag or PageFormat.BranchFlag))
        {
            return new BboltFinding(Offset + PageFormat.FlagsAt, $"page {id} has flags 0x{flags:x}, expected a leaf (2) or a branch (1)");
        }

        if (Count == PageFormat.FreeListCountEscape || (Count == 0 && !(mayBeEmpty && IsLeaf && Overflow == 0)))
        {
            return new BboltFinding(Offset + PageFormat.CountAt, $"page {id}, a {Kind} with {Overflow} overflow pages, has {Count} elements");
        }

        return null;
    }

    /// <summary>Reads the part of the element table that lies in overflow pages.</summary>
    private BboltFinding? FillElements(PageSource source)
    {
        if (Overflow >= source.HighWaterMark - Id)
        {
            return new BboltFinding(
                Offset + PageFormat.OverflowAt, $"page {Id} has {Overflow} overflow pages, but the last page of the file is {source.HighWaterMark - 1}");
        }

        if (VerifyTable((Overflow + 1L) * source.PageSize) is { } table)
        {
            return table;
        }

        var tableEnd = PageFormat.HeaderBytes + (Count * PageFormat.ElementBytes);
        return tableEnd <= source.PageSize ? null : FillUpTo(source, from: source.PageSize, to: tableEnd);
    }

    private BboltFinding? VerifyTable(long runBytes)
    {
        return PageFormat.HeaderBytes + ((long)Count * PageFormat.ElementBytes) <= runBytes
            ? null
            : new BboltFinding(Offset + PageFormat.CountAt, $"page {Id} of {runBytes} bytes has {Count} elements");
    }

    /// <summary>Verifies all sizes and places, from the element table alone.</summary>
    private BboltFinding? VerifyElements(long runBytes, LeafContent content)
    {
        _used = PageFormat.HeaderBytes + ((long)Count * PageFormat.ElementBytes);
        for (var index = 0; index < Count; index++)
        {
            var element = _bytes.AsSpan(ElementAt(index), PageFormat.ElementBytes);
            var flags = IsLeaf ? BinaryPrimitives.ReadUInt32LittleEndian(element) : 0;
            if (IsLeaf && flags != (uint)content)
            {
                return new BboltFinding(
                    Offset + ElementAt(index),
                    $"element {index} of page {Id} has flags {flags}, expected {(uint)content} ({(content == LeafContent.Rows ? "a row" : "a bucket")})");
            }

            var pos = BinaryPrimitives.ReadUInt32LittleEndian(element[(IsLeaf ? PageFormat.LeafPosAt : PageFormat.BranchPosAt)..]);
            var keySize = BinaryPrimitives.ReadUInt32LittleEndian(element[(IsLeaf ? PageFormat.LeafKeySizeAt : PageFormat.BranchKeySizeAt)..]);
            var valueSize = IsLeaf ? BinaryPrimitives.ReadUInt32LittleEndian(element[PageFormat.LeafValueSizeAt..]) : 0;
            if (ElementAt(index) + (long)pos != _used || keySize is 0 or > PageFormat.KeyBytesMax || valueSize > runBytes)
            {
                return new BboltFinding(
                    Offset + ElementAt(index),
                    $"element {index} of page {Id} has its data at {ElementAt(index) + (long)pos} (expected {_used}), " +
                    $"a key of {keySize} and a value of {valueSize} bytes");
            }

            _used += keySize + (long)valueSize;
        }

        return _used <= runBytes ? null : new BboltFinding(Offset, $"page {Id} of {runBytes} bytes has elements of {_used} bytes");
    }

    /// <summary>bbolt allocates as many pages as the elements need; releases before 1.3 one more when they fill the last one exactly.</summary>
    private BboltFinding? VerifyOverflow(int pageSize)
    {
        if (_used < (long)Overflow * pageSize)
        {
            return new BboltFinding(
                Offset + PageFormat.OverflowAt, $"page {Id} has {Overflow} overflow pages of {pageSize} bytes for elements of {_used} bytes");
        }

        return _used <= PageFormat.PageRunBytesMax
            ? null
            : new BboltFinding(
                Offset + PageFormat.OverflowAt, $"page {Id} has elements of {_used} bytes, more than the {PageFormat.PageRunBytesMax} accepted here");
    }

    private BboltFinding? FillData(PageSource source)
    {
        var present = Math.Max(source.PageSize, PageFormat.HeaderBytes + (Count * PageFormat.ElementBytes));
        return _used <= present ? null : FillUpTo(source, present, (int)_used);
    }

    private BboltFinding? FillUpTo(PageSource source, int from, int to)
    {
        Reserve(to, keep: from);
        return source.Fill(Offset + from, _bytes.AsSpan(from, to - from));
    }

    /// <summary>A page that says it is empty must look it: its count decides whether anything on it exists.</summary>
    private BboltFinding? VerifyEmpty(PageSource source) => Count == 0 ? VerifyRest(source) : null;

    private BboltFinding? VerifyKeyOrder()
    {
        for (var index = 1; index < Count; index++)
        {
            if (Key(index - 1).SequenceCompareTo(Key(index)) >= 0)
            {
                return new BboltFinding(KeyOffset(index), $"key {index} of page {Id} is not above the key before it");
            }
        }

        return null;
    }

    private void Reserve(int length, int keep)
    {
        if (_bytes.Length < length)
        {
            // Doubling bounds the number of times a scan with ever larger rows allocates.
            var larger = new byte[Math.Max(length, (int)Math.Min(2L * _bytes.Length, PageFormat.PageRunBytesMax))];
            _bytes.AsSpan(0, keep).CopyTo(larger);
            _bytes = larger;
        }
    }

    private static int ElementAt(int index) => PageFormat.HeaderBytes + (index * PageFormat.ElementBytes);

    private int Int32(int at) => BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(at));
}
