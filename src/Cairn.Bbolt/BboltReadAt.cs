namespace Cairn.Bbolt;

/// <summary>A random-access source of bytes: a file, a stream copied to memory, anything that can be asked twice for the same bytes.</summary>
/// <param name="offset">First byte wanted, from 0.</param>
/// <param name="destination">What to fill.</param>
/// <returns>Bytes read, from 1 to the length of <paramref name="destination"/>; 0 only at or behind the end of the source.</returns>
/// <remarks>Called by one thread at a time for each cursor, check or open; exceptions of the source (a failed disk) pass through unchanged.</remarks>
public delegate int BboltReadAt(long offset, Span<byte> destination);
