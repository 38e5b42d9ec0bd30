using System.Buffers.Binary;
using System.Text;

namespace Cairn.Host.Discovery;

/// <summary>One place at which a service is to be had.</summary>
/// <param name="Priority">Lower ones are to be tried first.</param>
/// <param name="Port">The port.</param>
/// <param name="Target">The host, without a dot at its end.</param>
internal readonly record struct SrvRecord(ushort Priority, ushort Port, string Target);

/// <summary>What a name server answered.</summary>
/// <param name="Code">0 for an answer, 3 for a name that does not exist; others are failures.</param>
/// <param name="IsCut">Whether the answer was too long for its datagram, and is to be asked for over TCP.</param>
/// <param name="Records">The places, those to be tried first before others.</param>
internal sealed record DnsAnswer(int Code, bool IsCut, IReadOnlyList<SrvRecord> Records);

/// <summary>Questions for SRV records, and answers to them, as name servers speak. Answers come from anybody: whatever does not fit is no answer.</summary>
/// <remarks>Source: RFC 1035, 4; RFC 2782.</remarks>
internal static class DnsMessage
{
    /// <summary>The longest message; over TCP a length of 16 bits stands before it.</summary>
    public const int BytesMax = ushort.MaxValue;

    private const int HeadBytes = 12;

    // RFC 1035, 2.3.4.
    private const int LabelBytesMax = 63;

    // The same.
    private const int NameBytesMax = 255;

    private const ushort SrvType = 33;
    private const ushort InternetClass = 1;
    private const ushort AnswerFlag = 0x8000;
    private const ushort CutFlag = 0x0200;
    private const ushort RecursionFlag = 0x0100;
    private const ushort CodeMask = 0x000f;
    private const byte PointerMask = 0xc0;

    // Pointers go backwards in honest messages; no name needs more of them than it has labels.
    private const int PointersMax = 128;

    /// <summary>Writes a question.</summary>
    /// <param name="id">Its number, which the answer repeats.</param>
    /// <param name="name">The name, with or without a dot at its end.</param>
    /// <returns>The message; null if this is no name.</returns>
    public static byte[]? Question(ushort id, string name)
    {
        byte[][] labels = [.. name.TrimEnd('.').Split('.').Select(Encoding.ASCII.GetBytes)];
        if (labels.Any(static label => label.Length is 0 or > LabelBytesMax) || labels.Sum(static label => label.Length + 1) + 1 > NameBytesMax)
        {
            return null;
        }

        var bytes = new List<byte>(HeadBytes + NameBytesMax);
        Span<ushort> head = [id, RecursionFlag, 1, 0, 0, 0];
        foreach (ushort word in head)
        {
            Add(bytes, word);
        }

        foreach (byte[] label in labels)
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(label);
        }

        bytes.Add(0);
        Add(bytes, SrvType);
        Add(bytes, InternetClass);
        return [.. bytes];
    }

    /// <summary>Reads an answer.</summary>
    /// <param name="bytes">What came.</param>
    /// <param name="question">What was asked.</param>
    /// <returns>The answer; null if this is none, or none to this question.</returns>
    public static DnsAnswer? Read(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> question)
    {
        if (bytes.Length < question.Length || !IsAnswerTo(bytes, question))
        {
            return null;
        }

        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        int count = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
        var records = new List<SrvRecord>();
        int at = question.Length;
        bool isCut = (flags & CutFlag) != 0;
        for (int i = 0; i < count && !isCut; i++)
        {
            if (!TrySkipName(bytes, ref at) || bytes.Length - at < 10)
            {
                return null;
            }

            ushort type = BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 8)..]);
            at += 10;
            if (bytes.Length - at < length)
            {
                return null;
            }

            if (type == SrvType)
            {
                if (length < 7 || ReadName(bytes, at + 6) is not { Length: > 0 } target)
                {
                    return null;
                }

                records.Add(new SrvRecord(BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]), BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 4)..]), target));
            }

            at += length;
        }

        return new DnsAnswer(flags & CodeMask, isCut, [.. records.OrderBy(static record => record.Priority)]);
    }

    /// <summary>Same number, an answer, and the question repeated; names may come back in other cases.</summary>
    private static bool IsAnswerTo(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> question) =>
        bytes[..2].SequenceEqual(question[..2]) && (BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]) & AnswerFlag) != 0
        && BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]) == 1 && Ascii.EqualsIgnoreCase(bytes[HeadBytes..question.Length], question[HeadBytes..]);

    private static void Add(List<byte> bytes, ushort word)
    {
        bytes.Add((byte)(word >> 8));
        bytes.Add((byte)word);
    }

    private static bool TrySkipName(ReadOnlySpan<byte> bytes, ref int at)
    {
        while (at < bytes.Length)
        {
            byte length = bytes[at];
            if ((length & PointerMask) == PointerMask)
            {
                at += 2;
                return true;
            }

            at += length + 1;
            if (length == 0)
            {
                return true;
            }
        }

        return false;
    }

    private static string? ReadName(ReadOnlySpan<byte> bytes, int at)
    {
        var name = new StringBuilder();
        for (int pointers = 0; at < bytes.Length && pointers < PointersMax;)
        {
            byte length = bytes[at];
            if (length == 0)
            {
                return name.ToString();
            }

            if ((length & PointerMask) == PointerMask && at + 1 < bytes.Length)
            {
                at = ((length & ~PointerMask) << 8) | bytes[at + 1];
                pointers++;
                continue;
            }

            if (length > LabelBytesMax || bytes.Length - at - 1 < length || name.Length + length > NameBytesMax)
            {
                return null;
            }

            name.Append(name.Length > 0 ? "." : "").Append(Encoding.ASCII.GetString(bytes.Slice(at + 1, length)));
            at += length + 1;
        }

        return null;
    }
}
