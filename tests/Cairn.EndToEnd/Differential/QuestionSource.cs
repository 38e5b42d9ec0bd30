using System.Buffers.Binary;
using System.Text;
using Cairn.Protocol;
using Cairn.Protocol.Elections;
using Cairn.Protocol.Locks;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cairn.EndToEnd.Differential;

/// <summary>Draws the questions of one round: any method, any message, over gRPC and as JSON, one in eight broken.</summary>
/// <param name="prng">Decides everything.</param>
/// <param name="withUsers">Whether authentication is on, and questions are asked as somebody.</param>
internal sealed class QuestionSource(Prng prng, bool withUsers)
{
    private const int CompressedFlagAt = 0;
    private const int FrameBytes = 5;

    private static readonly JsonFormatter SnakeCase = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

    // How often each is asked, and under which path of the gateway.
    private static readonly (MethodDescriptor Method, string Gateway, int Weight)[] Methods =
    [
        .. Of(KvReflection.Descriptor, "KV", "Range kv/range 20", "Put kv/put 20", "DeleteRange kv/deleterange 6", "Txn kv/txn 24", "Compact kv/compaction 2"),
        .. Of(LeaseReflection.Descriptor, "Lease", "LeaseGrant lease/grant 4", "LeaseRevoke lease/revoke 2", "LeaseTimeToLive lease/timetolive 2", "LeaseLeases lease/leases 1"),
        .. Of(
            ClusterReflection.Descriptor, "Cluster",
            "MemberAdd cluster/member/add 1", "MemberRemove cluster/member/remove 1", "MemberUpdate cluster/member/update 1",
            "MemberList cluster/member/list 1", "MemberPromote cluster/member/promote 1"),
        .. Of(
            MaintenanceReflection.Descriptor, "Maintenance",
            "Alarm maintenance/alarm 1", "Defragment maintenance/defragment 1", "HashKV maintenance/hashkv 2", "MoveLeader maintenance/transfer-leadership 1"),
        .. Of(
            AuthReflection.Descriptor, "Auth",
            "AuthStatus auth/status 1", "Authenticate auth/authenticate 1", "UserAdd auth/user/add 2", "UserGet auth/user/get 1", "UserList auth/user/list 1",
            "UserDelete auth/user/delete 1", "UserChangePassword auth/user/changepw 1", "UserGrantRole auth/user/grant 2", "UserRevokeRole auth/user/revoke 1",
            "RoleAdd auth/role/add 2", "RoleGet auth/role/get 1", "RoleList auth/role/list 1", "RoleDelete auth/role/delete 1",
            "RoleGrantPermission auth/role/grant 3", "RoleRevokePermission auth/role/revoke 1"),
        .. Of(LockReflection.Descriptor, "Lock", "Lock lock/lock 1", "Unlock lock/unlock 1"),
        .. Of(ElectionReflection.Descriptor, "Election", "Campaign election/campaign 1", "Proclaim election/proclaim 1", "Leader election/leader 1", "Resign election/resign 1"),
    ];

    private static readonly int WeightSum = Methods.Sum(static entry => entry.Weight);

    // What must not be changed at random: it would take the quorum, the time or the writes from the rest of the round.
    private static readonly HashSet<string> NeverBroken = ["MemberAdd", "Alarm", "LeaseGrant", "Lock", "Campaign", "Proclaim", "Resign"];

    private static readonly (string Verb, string Path, bool IsJson)[] Elsewhere =
    [
        ("GET", "/v3/kv/range", true), ("PUT", "/v3/kv/put", true), ("POST", "/v3/kv/nothing", true), ("POST", "/v3/", true), ("POST", "/v3alpha/kv/range", true),
        ("POST", "/v3beta/kv/range", true), ("GET", "/", true), ("GET", "/nothing", true), ("GET", "/v2/keys", true), ("GET", "/health", true), ("POST", "/health", true),
        ("GET", "/health?serializable=true", true), ("GET", "/health?exclude=NOSPACE", true), ("GET", "/livez", true), ("GET", "/readyz", true), ("GET", "/readyz?verbose", true),
        ("GET", "/livez/serializable_read", true), ("GET", "/livez/nothing", true), ("GET", "/readyz?exclude=nothing", true), ("GET", "/members", true),
        ("GET", "/config/local/log", true), ("PUT", "/config/local/log", true), ("POST", "/etcdserverpb.KV/Nothing", false), ("POST", "/nothing.KV/Range", false),
        ("POST", "/nothing", false), ("POST", "/grpc.health.v1.Health/Check", false),
    ];

    private readonly MessageSource _messages = new(prng);
    private readonly Queue<Question> _next = new();

    /// <summary>The highest revision that was seen.</summary>
    public long Revision
    {
        set => _messages.Revision = value;
    }

    /// <summary>Draws a question.</summary>
    /// <returns>The question.</returns>
    public Question Next()
    {
        if (_next.TryDequeue(out var due))
        {
            return due;
        }

        if (prng.Chance(1, 60))
        {
            var (verb, path, isJson) = Elsewhere[prng.Below(Elsewhere.Length)];
            return new Question { Verb = verb, Path = path, IsJson = isJson, Body = isJson ? "{}"u8.ToArray() : [0, 0, 0, 0, 0], Shown = "" };
        }

        var (method, gateway) = Draw();
        var message = _messages.Make(method.InputType);
        if (message is AlarmRequest { Action: AlarmRequest.Types.AlarmAction.Activate } alarm)
        {
            if (withUsers)
            {
                // While there is an alarm, 3.5.16 judges nobody's permissions.
                alarm.Action = AlarmRequest.Types.AlarmAction.Get;
                return Ask(method, gateway, message);
            }

            // Alarms stop the rest: what was raised is taken back a few questions later.
            var back = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Deactivate, MemberID = alarm.MemberID, Alarm = alarm.Alarm };
            for (var i = prng.Below(8); i > 0; i--)
            {
                var (between, under) = Draw();
                if (between.Name != "Alarm")
                {
                    _next.Enqueue(Ask(between, under, _messages.Make(between.InputType)));
                }
            }

            _next.Enqueue(Phrase(method, gateway, back, isJson: false));
        }

        return Ask(method, gateway, message);
    }

    private Question Ask(MethodDescriptor method, string gateway, IMessage message)
    {
        var question = Phrase(method, gateway, message, prng.Chance(1, 2)) with { User = User(method) };
        return prng.Chance(1, 8) && !NeverBroken.Contains(method.Name) ? Broken(question) : question;
    }

    private string User(MethodDescriptor method)
    {
        if (!withUsers)
        {
            return prng.Chance(1, 50) ? "nonsense" : "";
        }

        // Without a token, and without being root, 3.5.16 lets too much pass: Cairn does as the newest releases, and this is asked of root alone.
        string[] users = method.Name is "Compact" or "Alarm" || method.Service.Name is "Maintenance" or "Cluster" or "Lease" ? ["root"]
            : method.Service.Name == "KV" ? ["root", "alice", "bob", "alice", "bob", "nonsense", ""]
            : ["root", "root", "alice", "bob", "nonsense"];
        return users[prng.Below(users.Length)];
    }

    private (MethodDescriptor Method, string Gateway) Draw()
    {
        var at = prng.Below(WeightSum);
        foreach (var (method, gateway, weight) in Methods)
        {
            at -= weight;
            if (at < 0)
            {
                return (method, gateway);
            }
        }

        throw new InvalidOperationException("weights add up to less than their sum");
    }

    private Question Phrase(MethodDescriptor method, string gateway, IMessage message, bool isJson)
    {
        var shown = SnakeCase.Format(message);
        if (isJson)
        {
            var text = prng.Chance(1, 2) ? shown : JsonFormatter.Default.Format(message);
            return new Question { Method = method, Path = "/v3/" + gateway, IsJson = true, Body = Encoding.UTF8.GetBytes(text), Shown = Short(text) };
        }

        return new Question { Method = method, Path = $"/{method.Service.FullName}/{method.Name}", Body = Framed(message.ToByteArray()), Shown = Short(shown) };
    }

    private Question Broken(Question question)
    {
        var bytes = question.Body.AsSpan(question.IsJson ? 0 : FrameBytes).ToArray().ToList();
        for (var changes = prng.Between(1, 3); changes > 0; changes--)
        {
            Change(bytes);
        }

        byte[] body = question.IsJson ? [.. bytes] : Framed([.. bytes]);
        if (!question.IsJson && prng.Chance(1, 12))
        {
            body[CompressedFlagAt] = (byte)prng.Below(4);
        }
        else if (!question.IsJson && prng.Chance(1, 12))
        {
            body[prng.Below(FrameBytes)] ^= (byte)(1 << prng.Below(8));
        }

        return MessageSource.IsHarmless(question.Method!, body, question.IsJson)
            ? question with { Body = body, IsBroken = true, Shown = question.IsJson ? Short(Encoding.Latin1.GetString(body)) : Convert.ToHexString(body.AsSpan(0, Math.Min(body.Length, 120))) }
            : question;
    }

    private void Change(List<byte> bytes)
    {
        var at = bytes.Count == 0 ? 0 : prng.Below(bytes.Count);
        switch (prng.Below(5))
        {
            case 0 when bytes.Count > 0:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 1 when bytes.Count > 0:
                bytes[at] ^= (byte)(1 << prng.Below(8));
                break;
            case 2 when bytes.Count > 0:
                bytes.RemoveAt(at);
                break;
            case 3 when bytes.Count > 0:
                bytes.InsertRange(at, bytes.GetRange(at, (int)Math.Min(prng.Between(1, 8), bytes.Count - at)));
                break;
            default:
                bytes.Insert(at, (byte)prng.Below(256));
                break;
        }
    }

    private static byte[] Framed(byte[] message)
    {
        var frame = new byte[FrameBytes + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)message.Length);
        message.CopyTo(frame, FrameBytes);
        return frame;
    }

    private static string Short(string text) => text.Length <= 600 ? text : text[..600] + $"… ({text.Length})";

    private static IEnumerable<(MethodDescriptor Method, string Gateway, int Weight)> Of(FileDescriptor file, string service, params string[] entries)
    {
        var descriptor = file.FindTypeByName<ServiceDescriptor>(service);
        return entries.Select(static entry => entry.Split(' ')).Select(parts => (descriptor.FindMethodByName(parts[0]), parts[1], int.Parse(parts[2], System.Globalization.CultureInfo.InvariantCulture)));
    }
}
