using System.Globalization;
using System.Text;

namespace Cairn.Bench.Http2;

/// <summary>Reads the header blocks of one direction of one connection. Owned by its connection; not thread-safe.</summary>
/// <remarks>
/// Blocks must be read all and in order, since each may change the table that the next refers to. In the steady state a block is a few bytes that
/// all refer to the table, and reading it allocates nothing. Source: RFC 7541.
/// </remarks>
internal sealed class HeaderBlockReader
{
    private const int StaticEntries = 61;

    // What we announce (by not announcing anything) as the size of our table. Source: RFC 9113, 6.5.2.
    private const int TableBytesDefault = 4096;

    // Fixed cost of an entry. Source: RFC 7541, 4.1.
    private const int EntryOverheadBytes = 32;

    // The only static entries whose values matter here: ":status" stands at 8 to 14.
    private static readonly int[] StaticStatuses = [200, 204, 206, 304, 400, 404, 500];

    private readonly List<Field> _table = [];
    private int _tableBytes;
    private int _tableBytesLimit = TableBytesDefault;

    /// <summary>Reads one whole block.</summary>
    /// <param name="block">The fragments of a HEADERS frame and its CONTINUATIONs, joined.</param>
    /// <returns>What the block says about the call.</returns>
    public HeaderVerdict Read(ReadOnlySpan<byte> block)
    {
        var verdict = new HeaderVerdict(0, -1, "");
        while (!block.IsEmpty)
        {
            var first = block[0];
            if ((first & 0x80) != 0)
            {
                verdict = With(verdict, Entry(ReadInteger(ref block, prefixBits: 7)));
            }
            else if ((first & 0x40) != 0)
            {
                var field = ReadLiteral(ref block, prefixBits: 6);
                Add(field);
                verdict = With(verdict, field);
            }
            else if ((first & 0x20) != 0)
            {
                _tableBytesLimit = ReadInteger(ref block, prefixBits: 5);
                Evict();
            }
            else
            {
                verdict = With(verdict, ReadLiteral(ref block, prefixBits: 4));
            }
        }

        return verdict;
    }

    private static HeaderVerdict With(HeaderVerdict verdict, Field field) => field.Name switch
    {
        ":status" => verdict with { HttpStatus = field.Number },
        "grpc-status" => verdict with { GrpcStatus = field.Number },
        "grpc-message" => verdict with { GrpcMessage = field.Value },
        _ => verdict,
    };

    private Field ReadLiteral(ref ReadOnlySpan<byte> block, int prefixBits)
    {
        var index = ReadInteger(ref block, prefixBits);
        var name = index == 0 ? ReadString(ref block) : Entry(index).Name;
        return Field.Of(name, ReadString(ref block));
    }

    private Field Entry(int index)
    {
        if (index > StaticEntries)
        {
            return _table[^(index - StaticEntries)];
        }

        return index is >= 8 and <= 14 ? new Field(":status", "", StaticStatuses[index - 8]) : new Field("", "", 0);
    }

    private void Add(Field field)
    {
        _table.Add(field);
        _tableBytes += field.Bytes;
        Evict();
    }

    private void Evict()
    {
        while (_tableBytes > _tableBytesLimit)
        {
            _tableBytes -= _table[0].Bytes;
            _table.RemoveAt(0);
        }
    }

    private static string ReadString(ref ReadOnlySpan<byte> block)
    {
        var huffman = (block[0] & 0x80) != 0;
        var length = ReadInteger(ref block, prefixBits: 7);
        var raw = block[..length];
        block = block[length..];
        return huffman ? HuffmanCode.Decode(raw) : Encoding.Latin1.GetString(raw);
    }

    private static int ReadInteger(ref ReadOnlySpan<byte> block, int prefixBits)
    {
        var mask = (1 << prefixBits) - 1;
        var value = block[0] & mask;
        block = block[1..];
        if (value < mask)
        {
            return value;
        }

        for (var shift = 0; ; shift += 7)
        {
            var octet = block[0];
            block = block[1..];
            value = checked(value + ((octet & 0x7f) << shift));
            if ((octet & 0x80) == 0)
            {
                return value;
            }
        }
    }

    // Static entries have empty names where the name does not matter; they are never added to the table, so their size does not either... except as
    // the name of a literal that is added: Bytes then counts too little, and we may keep an entry longer than the peer does, which is harmless,
    // because indices count from the newest entry.
    private readonly record struct Field(string Name, string Value, int Number)
    {
        public int Bytes => Name.Length + Value.Length + EntryOverheadBytes;

        public static Field Of(string name, string value) =>
            new(name, value, int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1);
    }
}
