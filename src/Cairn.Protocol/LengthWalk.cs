using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cairn.Protocol;

/// <summary>Walks over a message as the library would, and looks at nothing but lengths: each must fit into what is left of what it is in.</summary>
internal ref struct LengthWalk
{
    // As deep as the library goes.
    private const int DepthMax = 100;

    // Seven bits in each, 64 in all.
    private const int VarintBytesMax = 10;

    private ReadOnlySpan<byte> _left;
    private bool _isBroken;

    /// <summary>A field of more bytes than follow, whatever the message: what the library says of it is said of all that does not fit.</summary>
    public static ReadOnlySpan<byte> EndsTooEarly => [0x0A, 0x7F];

    /// <summary>Walks.</summary>
    /// <param name="bytes">The message.</param>
    /// <param name="type">What it should be.</param>
    /// <returns>False if a length does not fit, or if the bytes are no message of any type.</returns>
    public static bool Fits(ReadOnlySpan<byte> bytes, MessageDescriptor type) => FieldsFit(bytes, type, 0);

    private static bool FieldsFit(ReadOnlySpan<byte> bytes, MessageDescriptor? type, int depth)
    {
        var walk = new LengthWalk { _left = bytes, _isBroken = depth > DepthMax };
        while (!walk._left.IsEmpty && !walk._isBroken)
        {
            walk.PassField(walk.ReadTag(), type, depth);
        }

        return !walk._isBroken;
    }

    private void PassField(uint tag, MessageDescriptor? type, int depth)
    {
        switch (WireFormat.GetTagWireType(tag))
        {
            case WireFormat.WireType.Varint:
                ReadVarint();
                break;
            case WireFormat.WireType.Fixed64:
                Take(sizeof(ulong));
                break;
            case WireFormat.WireType.Fixed32:
                Take(sizeof(uint));
                break;
            case WireFormat.WireType.LengthDelimited:
                var content = Take((int)(uint)ReadVarint());
                var field = type?.FindFieldByNumber(WireFormat.GetTagFieldNumber(tag));
                _isBroken |= field?.FieldType == FieldType.Message && !FieldsFit(content, field.MessageType, depth + 1);
                break;
            case WireFormat.WireType.StartGroup:
                PassGroup(WireFormat.GetTagFieldNumber(tag), depth + 1);
                break;
            default:
                _isBroken = true;
                break;
        }
    }

    /// <summary>Passes what no message of etcd has, so that all of it is unknown; the library keeps it.</summary>
    private void PassGroup(int number, int depth)
    {
        _isBroken |= depth > DepthMax;
        while (!_isBroken)
        {
            var tag = ReadTag();
            if (WireFormat.GetTagWireType(tag) == WireFormat.WireType.EndGroup)
            {
                _isBroken |= WireFormat.GetTagFieldNumber(tag) != number;
                return;
            }

            PassField(tag, null, depth);
        }
    }

    private uint ReadTag()
    {
        var tag = (uint)ReadVarint();
        _isBroken |= WireFormat.GetTagFieldNumber(tag) == 0;
        return tag;
    }

    /// <summary>Reads a number; of tags and lengths, the library drops what is above 32 bits.</summary>
    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var i = 0; i < Math.Min(VarintBytesMax, _left.Length); i++)
        {
            value |= (ulong)(_left[i] & 0x7F) << (7 * i);
            if (_left[i] < 0x80)
            {
                _left = _left[(i + 1)..];
                return value;
            }
        }

        _isBroken = true;
        return 0;
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > _left.Length)
        {
            _isBroken = true;
            return default;
        }

        var taken = _left[..length];
        _left = _left[length..];
        return taken;
    }
}
