namespace Cairn.Bbolt;

/// <summary>A set of page ids, one bit a page.</summary>
internal sealed class PageSet
{
    private readonly ulong[] _bits;

    /// <summary>Creates an empty set.</summary>
    /// <param name="highWaterMark">First page id that cannot be in it.</param>
    public PageSet(ulong highWaterMark)
    {
        _bits = new ulong[(highWaterMark / 64) + 1];
    }

    /// <summary>Puts a page in.</summary>
    /// <param name="page">Its id.</param>
    /// <returns>False if it was in already.</returns>
    public bool Add(ulong page)
    {
        var added = !Contains(page);
        _bits[page / 64] |= 1UL << (int)(page % 64);
        return added;
    }

    /// <summary>Whether a page is in.</summary>
    /// <param name="page">Its id.</param>
    /// <returns>True if it was put in.</returns>
    public bool Contains(ulong page) => (_bits[page / 64] & (1UL << (int)(page % 64))) != 0;
}
