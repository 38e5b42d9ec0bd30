namespace Cairn.Bbolt;

/// <summary>The rows of one bucket, forwards, in ascending order of their keys: what a <see cref="BboltImage"/> is made of.</summary>
/// <remarks>
/// Enumerated twice: once for the sizes, when values are not asked for, and once for the bytes. Both times it must give the same keys and lengths, so it reads
/// from a view that does not change. Used by one thread at a time; disposed after each enumeration, finished or not.
/// </remarks>
public interface IBboltRows : IDisposable
{
    /// <summary>Key of the current row: 1 to 32768 bytes, above the key before it; valid until the next move.</summary>
    ReadOnlySpan<byte> Key { get; }

    /// <summary>Bytes in the value of the current row.</summary>
    int ValueLength { get; }

    /// <summary>Moves to the next row, at first to the first one.</summary>
    /// <returns>False behind the last row.</returns>
    bool MoveNext();

    /// <summary>Writes the value of the current row.</summary>
    /// <param name="destination">Exactly <see cref="ValueLength"/> bytes.</param>
    void CopyValue(Span<byte> destination);
}
