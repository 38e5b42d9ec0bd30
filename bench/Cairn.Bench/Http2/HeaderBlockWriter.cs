using System.Text;

namespace Cairn.Bench.Http2;

/// <summary>Writes the header blocks of requests on one connection. Owned by its connection; not thread-safe.</summary>
/// <remarks>
/// As a usual client does, the first request of a kind puts its fields into the peer's table; the later ones are eight bytes that refer to it. The
/// table never fills, since a load tool has a handful of paths. Source: RFC 7541, 6.
/// </remarks>
internal sealed class HeaderBlockWriter(string authority)
{
    private const int StaticEntries = 61;
    private const int StaticAuthority = 1;
    private const int StaticMethodPost = 3;
    private const int StaticPath = 4;
    private const int StaticSchemeHttp = 6;
    private const int StaticContentType = 31;
    private const int StaticUserAgent = 58;

    private readonly Dictionary<string, int> _places = [];
    private readonly Dictionary<string, Prepared> _prepared = [];

    /// <summary>Whether the peer lets us use its table; if not, all fields are literals.</summary>
    public bool MayIndex { get; set; } = true;

    /// <summary>Gives the block of the next request for a path.</summary>
    /// <param name="path">The path, such as <c>/etcdserverpb.KV/Put</c>.</param>
    /// <returns>The block; valid for exactly one request, because writing it may change the table.</returns>
    public ReadOnlySpan<byte> Next(string path)
    {
        if (_prepared.TryGetValue(path, out var prepared) && prepared.Entries == _places.Count)
        {
            return prepared.Block;
        }

        var known = _places.Count;
        var block = new List<byte> { 0x80 | StaticMethodPost, 0x80 | StaticSchemeHttp };
        Append(block, StaticPath, null, path);
        Append(block, StaticAuthority, null, authority);
        Append(block, 0, "te", "trailers");
        Append(block, StaticContentType, null, "application/grpc");
        Append(block, StaticUserAgent, null, "cairn-bench/1");
        var bytes = block.ToArray();
        if (known == _places.Count)
        {
            _prepared[path] = new Prepared(bytes, known);
        }

        return bytes;
    }

    private void Append(List<byte> block, int staticName, string? name, string value)
    {
        var key = $"{staticName} {name} {value}";
        if (_places.TryGetValue(key, out var place))
        {
            AppendInteger(block, 0x80, prefixBits: 7, StaticEntries + _places.Count - place);
            return;
        }

        AppendInteger(block, MayIndex ? 0x40 : 0x00, MayIndex ? 6 : 4, staticName);
        if (name is not null)
        {
            AppendString(block, name);
        }

        AppendString(block, value);
        if (MayIndex)
        {
            _places.Add(key, _places.Count);
        }
    }

    private static void AppendString(List<byte> block, string text)
    {
        AppendInteger(block, 0, prefixBits: 7, text.Length);
        block.AddRange(Encoding.ASCII.GetBytes(text));
    }

    private static void AppendInteger(List<byte> block, int pattern, int prefixBits, int value)
    {
        var mask = (1 << prefixBits) - 1;
        if (value < mask)
        {
            block.Add((byte)(pattern | value));
            return;
        }

        block.Add((byte)(pattern | mask));
        for (value -= mask; value >= 0x80; value >>= 7)
        {
            block.Add((byte)(0x80 | (value & 0x7f)));
        }

        block.Add((byte)value);
    }

    private readonly record struct Prepared(byte[] Block, int Entries);
}
