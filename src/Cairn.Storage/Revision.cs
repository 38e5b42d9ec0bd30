namespace Cairn.Storage;

/// <summary>A point in the history of the key space: the transaction, and the change inside it.</summary>
/// <param name="Main">Which transaction; the first one of a fresh store is 2.</param>
/// <param name="Sub">Which change of that transaction, from 0.</param>
/// <remarks>Source: etcd server/storage/mvcc/revision.go.</remarks>
public readonly record struct Revision(long Main, int Sub) : IComparable<Revision>
{
    /// <inheritdoc/>
    public int CompareTo(Revision other)
    {
        var byMain = Main.CompareTo(other.Main);
        return byMain != 0 ? byMain : Sub.CompareTo(other.Sub);
    }

    /// <summary>Whether <paramref name="left"/> happened before <paramref name="right"/>.</summary>
    /// <param name="left">A revision.</param>
    /// <param name="right">Another.</param>
    /// <returns>True if strictly before.</returns>
    public static bool operator <(Revision left, Revision right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> happened after <paramref name="right"/>.</summary>
    /// <param name="left">A revision.</param>
    /// <param name="right">Another.</param>
    /// <returns>True if strictly after.</returns>
    public static bool operator >(Revision left, Revision right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> is not after <paramref name="right"/>.</summary>
    /// <param name="left">A revision.</param>
    /// <param name="right">Another.</param>
    /// <returns>True if before or equal.</returns>
    public static bool operator <=(Revision left, Revision right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> is not before <paramref name="right"/>.</summary>
    /// <param name="left">A revision.</param>
    /// <param name="right">Another.</param>
    /// <returns>True if after or equal.</returns>
    public static bool operator >=(Revision left, Revision right) => left.CompareTo(right) >= 0;
}
