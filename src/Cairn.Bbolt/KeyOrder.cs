namespace Cairn.Bbolt;

/// <summary>Holds whoever enumerates rows to the order of the keys.</summary>
internal sealed class KeyOrder
{
    private byte[] _previous = [];
    private int _length;

    /// <summary>Takes the next key.</summary>
    /// <param name="key">Must be above the one before.</param>
    public void Require(ReadOnlySpan<byte> key)
    {
        Invariant.Holds(key.Length is > 0 and <= PageFormat.KeyBytesMax);
        Invariant.Holds(_previous.AsSpan(0, _length).SequenceCompareTo(key) < 0);
        if (_previous.Length < key.Length)
        {
            _previous = new byte[key.Length];
        }

        key.CopyTo(_previous);
        _length = key.Length;
    }
}
