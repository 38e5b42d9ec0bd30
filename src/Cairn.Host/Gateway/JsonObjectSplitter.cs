using System.Buffers;

namespace Cairn.Host.Gateway;

/// <summary>Finds where one JSON object ends and the next begins in the body of a streaming request.</summary>
/// <remarks>
/// Worked example: <c>{"create_request":{"key":"YQ=="}} {"progress_request":{}}</c> is two objects. Only brackets and strings are looked at; whether an
/// object is well formed is for its reader to say. Owned by one request; remembers how far it has looked, so that a byte is looked at once.
/// </remarks>
internal sealed class JsonObjectSplitter
{
    private long _looked;
    private int _depth;
    private bool _inString;
    private bool _escaped;

    /// <summary>Takes the first whole object off the bytes.</summary>
    /// <param name="bytes">What has arrived and was not taken, always from the same byte on; on success moved past the object.</param>
    /// <param name="json">The object, blanks before it included.</param>
    /// <returns>False if the object has not arrived as a whole.</returns>
    public bool TryTake(ref ReadOnlySequence<byte> bytes, out ReadOnlySequence<byte> json)
    {
        foreach (var segment in bytes.Slice(_looked))
        {
            foreach (var value in segment.Span)
            {
                _looked++;
                if (Closes(value))
                {
                    json = bytes.Slice(0, _looked);
                    bytes = bytes.Slice(_looked);
                    _looked = 0;
                    return true;
                }
            }
        }

        json = default;
        return false;
    }

    private bool Closes(byte value)
    {
        if (_inString)
        {
            _inString = _escaped || value != '"';
            _escaped = !_escaped && value == '\\';
            return false;
        }

        switch (value)
        {
            case (byte)'"':
                _inString = true;
                return false;
            case (byte)'{' or (byte)'[':
                _depth++;
                return false;
            case (byte)'}' or (byte)']':
                _depth = Math.Max(_depth - 1, 0);
                return _depth == 0;
            default:
                return false;
        }
    }
}
