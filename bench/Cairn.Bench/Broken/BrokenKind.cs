using System.Text;
using Cairn.Bench.Http2;

namespace Cairn.Bench.Broken;

/// <summary>A way to harm a server by connections that are not used as they are meant to be.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Bytes">What each connection sends at first; given the number of the connection.</param>
/// <param name="IsHeld">Whether the connection then stays open until all are made; otherwise it is reset.</param>
/// <param name="Drip">What is sent now and then while it is held; empty for nothing.</param>
/// <param name="NeedsTls">Whether it is about TLS, and a plain port would only see garbage.</param>
internal sealed record BrokenKind(string Name, Func<int, byte[]> Bytes, bool IsHeld, byte[] Drip, bool NeedsTls = false)
{
    private const int FloodFrames = 500;
    private const int GarbageBytes = 1024;
    private const int WindowBytes = 60_000;

    private static readonly byte[] Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    // POST /etcdserverpb.KV/Put over http as one block of headers without Huffman code and without references that must be remembered. Source: RFC 7541, appendix A.
    private static readonly byte[] Headers = [0x83, 0x86, 0x04, 0x14, .. Encoding.ASCII.GetBytes("/etcdserverpb.KV/Put"), 0x01, 0x01, (byte)'x', 0x0f, 0x10, 0x10, .. Encoding.ASCII.GetBytes("application/grpc")];

    /// <summary>All kinds.</summary>
    public static IReadOnlyList<BrokenKind> All { get; } =
    [
        new("slow-loris", Always(Encoding.ASCII.GetBytes("GET /health HTTP/1.1\r\nHost: x\r\n")), IsHeld: true, Drip: [.. "x: y\r\n"u8]),
        new("slow-preface", Always(Preface[..5]), IsHeld: true, Drip: []),
        new("half-call", Always([.. Greeting(), .. Call(1, ends: false), .. Frame(FrameType.Data, 0, 1, [0, 0, 0, 4, 0])]), IsHeld: true, Drip: []),
        new("half-message", Always([.. Greeting(), .. Call(1, ends: false), .. HalfMessage()]), IsHeld: true, Drip: []),
        new("tls-handshake", Always([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), IsHeld: true, Drip: [], NeedsTls: true),
        new("reset", Always([.. Greeting(), .. Call(1, ends: false)]), IsHeld: false, Drip: []),
        new("rapid-reset", Always([.. Greeting(), .. Repeat(static i => [.. Call((2 * i) + 1, ends: true), .. Frame(FrameType.ResetStream, 0, (2 * i) + 1, [0, 0, 0, 8])])]), IsHeld: false, Drip: []),
        new("ping-flood", Always([.. Greeting(), .. Repeat(static _ => Frame(FrameType.Ping, 0, 0, new byte[8]))]), IsHeld: false, Drip: []),
        new("settings-flood", Always([.. Greeting(), .. Repeat(static _ => Frame(FrameType.Settings, 0, 0, []))]), IsHeld: false, Drip: []),
        new("continuation-flood", Always([.. Greeting(), .. Frame(FrameType.Headers, 0, 1, Headers), .. Repeat(static _ => Frame(FrameType.Continuation, 0, 1, [0x00, 0x01, (byte)'a', 0x01, (byte)'b']))]), IsHeld: false, Drip: []),
        new("garbage", Garbage, IsHeld: false, Drip: []),
    ];

    private static Func<int, byte[]> Always(byte[] bytes) => _ => bytes;

    private static byte[] Greeting() => [.. Preface, .. Frame(FrameType.Settings, 0, 0, [])];

    private static byte[] Call(int stream, bool ends) =>
        Frame(FrameType.Headers, FrameFlags.EndHeaders | (ends ? FrameFlags.EndStreamOrAcknowledge : FrameFlags.None), stream, Headers);

    // As much of a message of a megabyte as the windows allow before the server has said anything.
    private static byte[] HalfMessage() =>
        [.. Frame(FrameType.Data, 0, 1, [0, 0, 0x10, 0, 0, .. new byte[(WindowBytes / 4) - 5]]), .. Enumerable.Range(1, 3).SelectMany(static _ => Frame(FrameType.Data, 0, 1, new byte[WindowBytes / 4]))];

    private static byte[] Repeat(Func<int, byte[]> frame) => [.. Enumerable.Range(0, FloodFrames).SelectMany(frame)];

    private static byte[] Frame(FrameType type, FrameFlags flags, int stream, byte[] payload)
    {
        var frame = new byte[FrameHeader.Bytes + payload.Length];
        new FrameHeader(payload.Length, type, flags, stream).Write(frame);
        payload.CopyTo(frame, FrameHeader.Bytes);
        return frame;
    }

    private static byte[] Garbage(int number)
    {
        var chance = new Prng((ulong)number);
        var bytes = new byte[GarbageBytes];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)chance.Below(256);
        }

        return bytes;
    }
}
