using Google.Protobuf;

namespace Cairn.Bench.Load;

/// <summary>A request encoded once, of which each call changes only the key. Immutable; any thread.</summary>
internal sealed class RequestTemplate
{
    private readonly byte[] _encoded;
    private readonly int _keyAt;
    private readonly int _stampAt;

    private RequestTemplate(string path, byte[] encoded, int keyAt, int stampAt)
    {
        Path = path;
        _encoded = encoded;
        _keyAt = keyAt;
        _stampAt = stampAt;
    }

    /// <summary>Path of the method.</summary>
    public string Path { get; }

    /// <summary>Bytes of each request.</summary>
    public int Length => _encoded.Length;

    /// <summary>Encodes a request.</summary>
    /// <param name="path">Path of the method.</param>
    /// <param name="request">The request, with <see cref="PlaceholderKey"/> where each call puts its key, and <see cref="PlaceholderStamp"/> at the
    /// begin of the value if each call puts a time there.</param>
    /// <param name="keySize">Bytes of the keys; 0 if the request has no key to change.</param>
    /// <returns>The template.</returns>
    public static RequestTemplate Of(string path, IMessage request, int keySize = 0)
    {
        var encoded = request.ToByteArray();
        return new RequestTemplate(
            path,
            encoded,
            keySize == 0 ? -1 : encoded.AsSpan().IndexOf(PlaceholderKey(keySize).Span),
            encoded.AsSpan().IndexOf(PlaceholderStamp.Span));
    }

    /// <summary>A key that no random key or value contains by accident, unless it is very short.</summary>
    /// <param name="size">Bytes, at least 1.</param>
    /// <returns>The key.</returns>
    public static ByteString PlaceholderKey(int size)
    {
        var key = new byte[size];
        key.AsSpan().Fill(0xfd);
        return ByteString.CopyFrom(key);
    }

    /// <summary>Eight bytes that no random value contains by accident.</summary>
    public static ByteString PlaceholderStamp { get; } = ByteString.CopyFrom(0xfe, 0xfc, 0xfe, 0xfc, 0xfe, 0xfc, 0xfe, 0xfc);

    /// <summary>Writes one request.</summary>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    /// <param name="key">The key; of the size given to <see cref="Of"/>.</param>
    /// <param name="stamp">What goes in place of the stamp, if the template has one.</param>
    public void Write(Span<byte> destination, ReadOnlySpan<byte> key, long stamp)
    {
        _encoded.CopyTo(destination);
        if (_keyAt >= 0)
        {
            key.CopyTo(destination[_keyAt..]);
        }

        if (_stampAt >= 0)
        {
            BitConverter.TryWriteBytes(destination[_stampAt..], stamp);
        }
    }
}
