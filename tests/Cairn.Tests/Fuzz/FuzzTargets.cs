using System.Buffers;
using System.Buffers.Text;
using System.IO.Compression;
using System.Text;
using Cairn.Grpc;
using Cairn.Host.Flags;
using Cairn.Host.Gateway;
using Cairn.Protocol;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Auth.Jwt;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.State.Entries;
using Cairn.Tests.Grpc;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Message = Cairn.Raft.Message;

namespace Cairn.Tests.Fuzz;

/// <summary>The parsers of what comes from outside, each with inputs that it accepts. What a parser throws and its callers expect is no failure.</summary>
internal static class FuzzTargets
{
    // Below what a server takes, so that the limit is met.
    private const int MessageBytesMax = 1024 * 1024;

    // Small enough that lengths and heads are torn apart.
    private const int PieceBytes = 7;

    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly JwtKeyring Keys = new(JwtKey.Read("HS256", null, "a key that signs"u8.ToArray()), TimeSpan.FromHours(1));

    private static readonly TxnRequest Txn = new()
    {
        Compare = { new Compare { Key = ByteString.CopyFromUtf8("a"), ModRevision = 7, Target = Compare.Types.CompareTarget.Mod } },
        Success = { new RequestOp { RequestPut = new PutRequest { Key = ByteString.CopyFromUtf8("a"), Value = ByteString.CopyFromUtf8("v"), Lease = 9 } } },
        Failure = { new RequestOp { RequestTxn = new TxnRequest { Success = { new RequestOp { RequestRange = new RangeRequest { Key = ByteString.CopyFromUtf8("b") } } } } } },
    };

    private static readonly Message Append = new()
    {
        Type = MessageType.App,
        To = 1,
        From = 2,
        Term = 3,
        LogTerm = 2,
        Index = 10,
        Commit = 9,
        Entries = new[] { new Entry(3, 11, EntryType.Normal, Txn.ToByteArray()), new Entry(3, 12, EntryType.ConfChange, new byte[] { 8, 1 }) },
    };

    /// <summary>By name: the parser, which says whether it accepted, and its corpus.</summary>
    public static SortedDictionary<string, (Func<byte[], bool> Parse, IReadOnlyList<byte[]> Corpus)> All { get; } = new(StringComparer.Ordinal)
    {
        ["grpc frames"] = (ReadFrames, [[0, 0, 0, 0, 0], [0, 0, 0, 0, 3, 1, 2, 3], [1, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0]]),
        ["gzip"] = (static bytes => Gzip.TryInflate(new ReadOnlySequence<byte>(bytes), MessageBytesMax, out _) == InflateOutcome.Complete, [Deflated(Txn.ToByteArray()), Deflated(new byte[300_000])]),
        ["grpc timeouts"] = (static bytes => GrpcTimeout.TryParse(Encoding.Latin1.GetString(bytes), out _), Texts("1S", "99999999H", "5m", "0n")),
        ["percent text"] = (static bytes => PercentText.Decode(Encoding.Latin1.GetString(bytes)).Length > 0, Texts("a%20b", "%E4%BD%A0", "plain")),
        ["protobuf Txn"] = (static bytes => IsMessage(TxnRequest.Parser, bytes), [Txn.ToByteArray(), Overflowing(0x0A, 0x1A)]),
        ["protobuf Watch"] = (static bytes => IsMessage(WatchRequest.Parser, bytes), [new WatchRequest { CreateRequest = new WatchCreateRequest { Key = ByteString.CopyFromUtf8("a") } }.ToByteArray(), Overflowing(0x0A, 0x0A)]),
        ["json Txn"] = (static bytes => IsJson(TxnRequest.Descriptor, bytes), Texts(JsonFormatter.Default.Format(Txn), """{"compare":[{"TargetUnion":{"create_revision":7}}]}""")),
        ["json Range"] = (static bytes => IsJson(RangeRequest.Descriptor, bytes), Texts("""{"key":"YQ==","limit":"5","sort_order":"DESCEND","keys_only":true}""", "{}", "null")),
        ["json MemberAdd"] = (static bytes => IsJson(MemberAddRequest.Descriptor, bytes), Texts("""{"peerURLs":["http://a:1","\u00e4\ud83d\ude00"],"isLearner":true}""")),
        ["json objects in a row"] = (SplitObjects, Texts("""{"a":"}"} {"b":{"c":[1,2]}}""", "{}{}\n{}")),
        ["command lines"] = (static bytes => CommandLine.Parse(Encoding.UTF8.GetString(bytes).Split('\n')).Outcome == CommandLineOutcome.Flags, Texts("--name\nx\n-data-dir=y", "--pre-vote", "--listen-client-urls=http://[::1]:1,unix://x")),
        ["configuration files"] = (static bytes => ConfigFile.Read(Encoding.UTF8.GetString(bytes), new FlagValues(), out _) is null, Texts(
            "name: x\nheartbeat-interval: 100\nclient-transport-security:\n  cert-file: c\n  allowed-hostname: [a, b]\n", """{"name": "x", "log-outputs": ["stderr"]}""")),
        ["token options"] = (ReadTokenOptions, Texts("simple", "jwt,pub-key=a,priv-key=b,sign-method=RS256,ttl=5m")),
        ["durations"] = (static bytes => GoDuration.TryParse(Encoding.UTF8.GetString(bytes), out _), Texts("1m30s", "-5.5h", "100ms", "1h1us", "-5555555555555555555h")),
        ["signed tokens"] = (static bytes => Keys.TryVerify(Encoding.Latin1.GetString(bytes), Now, out _), Texts(Keys.Sign("alice", 7, Now), $"{Base64Url.EncodeToString([0x7b, 0x22, 0x61, 0x6c, 0x67, 0x22, 0x3a, 0x22, 0xf5, 0x22, 0x7d])}.e30.e30")),
        ["peer message stream"] = (ReadMessages, [Framed(MessageBytes(Append)), Framed(MessageBytes(new Message { Type = MessageType.Heartbeat, To = 1, From = 2, Term = 3 }))]),
        ["peer append stream"] = (ReadAppends, [[0, 0], [2, .. Framed(MessageBytes(Append))], [2, .. Framed(MessageBytes(Append)), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]]),
        ["peer messages"] = (static bytes => MessageWire.TryRead(bytes, out _), [MessageBytes(Append)]),
        ["membership changes"] = (static bytes => ConfChangeWire.TryRead(bytes, out _) | ConfChangeV2Wire.TryRead(bytes, out _), [
            ConfChangeWire.ToBytes(new ConfChange { Type = ConfChangeType.AddNode, MemberId = 5, Context = new byte[] { 1, 2 } })]),
        ["snapshots"] = (static bytes => SnapshotWire.TryRead(bytes, out _) | HardStateWire.TryRead(bytes, out _) | ConfStateWire.TryRead(bytes, out _), [[8, 1, 16, 2, 24, 3]]),
        ["entries"] = (DecodeEntry, [new InternalRaftRequest { Header = new RequestHeader { ID = 7 }, Txn = Txn }.ToByteArray(), Overflowing(0x22, 0x0A)]),
        ["member lists"] = (static bytes => MemberPages.TryRead(bytes, out _), Texts("""[{"id":1,"peerURLs":["http://a:1"],"name":"m","clientURLs":["http://a:2"]},{"id":2,"peerURLs":[],"isLearner":true}]""")),
        ["process sights"] = (static bytes => PeerSight.Parse(Encoding.Latin1.GetString(bytes)) is not null, Texts(new PeerSight(1, new ProcessIdentity(2, 3, 4), new LogEnd(5, 6, 7)).ToString())),
    };

    private static IReadOnlyList<byte[]> Texts(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    private static byte[] MessageBytes(Message message)
    {
        var output = new ArrayBufferWriter<byte>();
        MessageWire.Write(message, output);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Framed(byte[] body) => [0, 0, 0, 0, 0, 0, 0, (byte)body.Length, .. body];

    // A message whose end lies beyond 2^31, and in it bytes as long as that lets them be.
    private static byte[] Overflowing(byte messageTag, byte bytesTag) => [messageTag, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, bytesTag, 0x80, 0x80, 0x80, 0x80, 0x04];

    private static byte[] Deflated(byte[] bytes)
    {
        using var output = new MemoryStream();
        using (var deflater = new GZipStream(output, CompressionLevel.Fastest))
        {
            deflater.Write(bytes);
        }

        return output.ToArray();
    }

    private static bool ReadFrames(byte[] bytes)
    {
        var rest = Pieces.Of(bytes, PieceBytes);
        var any = false;
        while (Framing.TryRead(ref rest, MessageBytesMax, out _, out _) == FrameOutcome.Complete)
        {
            any = true;
        }

        return any;
    }

    private static bool ReadMessages(byte[] bytes)
    {
        var rest = Pieces.Of(bytes, PieceBytes);
        var any = false;
        while (MessageStreamReader.TryRead(ref rest, out _) is StreamRead.Message or StreamRead.Heartbeat)
        {
            any = true;
        }

        return any;
    }

    private static bool ReadAppends(byte[] bytes)
    {
        var rest = Pieces.Of(bytes, PieceBytes);
        var reader = new AppendStreamReader(1, 2);
        var any = false;
        while (reader.TryRead(ref rest, out _) is StreamRead.Message or StreamRead.Heartbeat)
        {
            any = true;
        }

        return any;
    }

    private static bool SplitObjects(byte[] bytes)
    {
        var rest = Pieces.Of(bytes, PieceBytes);
        var splitter = new JsonObjectSplitter();
        var any = false;
        while (splitter.TryTake(ref rest, out _))
        {
            any = true;
        }

        return any;
    }

    private static bool ReadTokenOptions(byte[] bytes)
    {
        TokenOptions.Read(Encoding.UTF8.GetString(bytes), out var fault);
        return fault is null;
    }

    private static bool DecodeEntry(byte[] bytes)
    {
        EntryDecoder.ChangesV2Keys(bytes);
        return EntryDecoder.Decode(bytes) is not null;
    }

    private static bool IsMessage<T>(MessageParser<T> parser, byte[] bytes)
        where T : IMessage<T>
    {
        try
        {
            parser.ParseGuarded(Pieces.Of(bytes, PieceBytes));
            return true;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            // What the server answers "error unmarshalling request" to.
            return false;
        }
    }

    private static bool IsJson(MessageDescriptor type, byte[] bytes)
    {
        try
        {
            ProtoJsonReader.Read(bytes, type);
            return true;
        }
        catch (ProtoJsonException)
        {
            // What the gateway answers 400 to.
            return false;
        }
    }
}
