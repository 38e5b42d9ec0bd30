using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>The elements of one level of a tree that are on no page yet, as bytes.</summary>
/// <remarks>Reused from page to page; holds a page and at most two elements more, or one row that is larger.</remarks>
internal sealed class PageDraft
{
    private readonly bool _isLeaf;
    private readonly List<Element> _elements = [];
    private byte[] _data = new byte[PageFormat.PageSizeMin];
    private int _dataLength;

    /// <summary>Creates an empty draft.</summary>
    /// <param name="isLeaf">Whether its pages are leaves.</param>
    public PageDraft(bool isLeaf)
    {
        _isLeaf = isLeaf;
    }

    /// <summary>Key of the oldest element.</summary>
    public ReadOnlySpan<byte> FirstKey => _data.AsSpan(0, _elements[0].KeyLength);

    /// <summary>Bytes of a page that holds all elements.</summary>
    public long Bytes => PageFormat.HeaderBytes + ((long)_elements.Count * PageFormat.ElementBytes) + _dataLength;

    /// <summary>Takes in a row.</summary>
    /// <param name="content">What the row is.</param>
    /// <param name="key">Its key.</param>
    /// <param name="valueLength">Bytes of its value.</param>
    /// <returns>Where the value must be written, before anything else is done here.</returns>
    public Span<byte> AddRow(LeafContent content, ReadOnlySpan<byte> key, int valueLength)
    {
        Invariant.Holds(_isLeaf);
        return Add((ulong)content, key, valueLength);
    }

    /// <summary>Takes in a child.</summary>
    /// <param name="key">Its first key.</param>
    /// <param name="page">Its id.</param>
    public void AddChild(ReadOnlySpan<byte> key, ulong page)
    {
        Invariant.Holds(!_isLeaf);
        Add(page, key, valueLength: 0);
    }

    /// <summary>Moves the oldest elements onto a page.</summary>
    /// <param name="items">How many.</param>
    /// <param name="page">Id of the page; 0 within an inline bucket.</param>
    /// <param name="overflow">Further pages that belong to it.</param>
    /// <param name="destination">The page with its overflow; all zeros.</param>
    public void MoveTo(int items, ulong page, uint overflow, Span<byte> destination)
    {
        Invariant.Holds(items <= _elements.Count);
        BinaryPrimitives.WriteUInt64LittleEndian(destination, page);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[PageFormat.FlagsAt..], (ushort)(_isLeaf ? PageFormat.LeafFlag : PageFormat.BranchFlag));
        BinaryPrimitives.WriteUInt16LittleEndian(destination[PageFormat.CountAt..], (ushort)items);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[PageFormat.OverflowAt..], overflow);
        var dataLength = WriteElements(items, destination);
        _data.AsSpan(0, dataLength).CopyTo(destination[(PageFormat.HeaderBytes + (items * PageFormat.ElementBytes))..]);
        _elements.RemoveRange(0, items);
        _data.AsSpan(dataLength, _dataLength - dataLength).CopyTo(_data);
        _dataLength -= dataLength;
    }

    private int WriteElements(int items, Span<byte> destination)
    {
        var dataLength = 0;
        for (var index = 0; index < items; index++)
        {
            var element = _elements[index];
            var at = PageFormat.HeaderBytes + (index * PageFormat.ElementBytes);
            var pos = (uint)(PageFormat.HeaderBytes + (items * PageFormat.ElementBytes) + dataLength - at);
            var bytes = destination.Slice(at, PageFormat.ElementBytes);
            if (_isLeaf)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)element.FlagsOrChild);
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[PageFormat.LeafPosAt..], pos);
                BinaryPrimitives.WriteInt32LittleEndian(bytes[PageFormat.LeafKeySizeAt..], element.KeyLength);
                BinaryPrimitives.WriteInt32LittleEndian(bytes[PageFormat.LeafValueSizeAt..], element.ValueLength);
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, pos);
                BinaryPrimitives.WriteInt32LittleEndian(bytes[PageFormat.BranchKeySizeAt..], element.KeyLength);
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[PageFormat.BranchChildAt..], element.FlagsOrChild);
            }

            dataLength += element.KeyLength + element.ValueLength;
        }

        return dataLength;
    }

    private Span<byte> Add(ulong flagsOrChild, ReadOnlySpan<byte> key, int valueLength)
    {
        var length = _dataLength + key.Length + (long)valueLength;
        Invariant.Holds(length <= PageFormat.PageRunBytesMax);
        if (_data.Length < length)
        {
            Array.Resize(ref _data, (int)Math.Max(length, Math.Min(2L * _data.Length, PageFormat.PageRunBytesMax)));
        }

        key.CopyTo(_data.AsSpan(_dataLength));
        _elements.Add(new Element(flagsOrChild, key.Length, valueLength));
        _dataLength = (int)length;
        return _data.AsSpan(_dataLength - valueLength, valueLength);
    }

    private readonly record struct Element(ulong FlagsOrChild, int KeyLength, int ValueLength);
}
