using System.Collections;
using System.Text;
using Cairn.Protocol;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cairn.EndToEnd.Differential;

/// <summary>Draws messages: every field of every message, from values that mean something where they stand and from such that never should.</summary>
/// <param name="prng">Decides everything.</param>
internal sealed class MessageSource(Prng prng)
{
    // Transactions within transactions grow by themselves: two within each other show all that there is to see.
    private const int NestingMax = 3;

    // Three of a kind are enough for an order, a repetition and a limit.
    private const int ListedMax = 3;

    // A lease that ends while a round goes on ends at another moment on each server.
    private const long TtlMin = 100_000;

    private static readonly string[] Keys = ["a", "b", "c", "aa", "ab", "abc", "b/1", "b/2", "b/3", "z", "\0", "a\0", ""];
    private static readonly string[] Ends = ["", "", "", "", "\0", "b", "c", "ac", "b0", "zz", "a", "~"];
    private static readonly string[] Names = ["alice", "bob", "carol", "root", "reader", "writer", "", "ä ö"];
    private static readonly string[] Passwords = ["", "p", "q"];
    private static readonly string[] Urls = ["", "nonsense", "http://", "http://127.0.0.1", "http://127.0.0.1:1/path", "ftp://127.0.0.1:1", "http://a:b"];
    private static readonly ulong[] Ids = [0, 1, 12345, ulong.MaxValue];
    private static readonly long[] Leases = [0, 0, 0, 0, 1, 2, 3, 4, 5, 77, -1];

    private int _names;
    private bool _compactedNothing;

    /// <summary>The highest revision that was seen.</summary>
    public long Revision { get; set; } = 1;

    /// <summary>Draws a message.</summary>
    /// <param name="type">What it is.</param>
    /// <returns>The message.</returns>
    public IMessage Make(MessageDescriptor type)
    {
        var message = Make(type, 0);
        switch (message)
        {
            case LeaseGrantRequest grant:
                grant.ID = prng.Between(prng.Chance(1, 20) ? -1 : 1, 5);
                grant.ID = grant.ID == 0 ? 1 : grant.ID;
                grant.TTL = new[] { TtlMin, 2 * TtlMin, 9_000_000_000, 9_000_000_001, long.MaxValue }[prng.Below(5)];
                break;
            case AlarmRequest alarm when prng.Chance(1, 2):
                alarm.Action = AlarmRequest.Types.AlarmAction.Get;
                break;
            case CompactionRequest compaction:
                compaction.Revision = prng.Chance(2, 3) ? Math.Max(0, Revision - prng.Between(0, 60)) : compaction.Revision;
                _compactedNothing |= compaction.Revision == 0;
                break;
            case HashKVRequest hash when _compactedNothing:
                // Asked for no revision, etcd then finds the hash that it kept when it compacted at 0.
                hash.Revision = Revision;
                break;
            case Protocol.Locks.LockRequest held:
                // A name of its own: who waits for somebody else's lock waits for ever. A lease of its own would be drawn by chance.
                (held.Name, held.Lease) = (Fresh(), prng.Between(1, 6));
                break;
            // Without a lease etcd makes one, at random, that ends a minute later.
            case Protocol.Elections.ProclaimRequest { Leader: { } leader }:
                leader.Lease = prng.Between(1, 6);
                break;
            case Protocol.Elections.ResignRequest { Leader: { } resigning }:
                resigning.Lease = prng.Between(1, 6);
                break;
            case Protocol.Elections.CampaignRequest campaign:
                (campaign.Name, campaign.Lease) = (Fresh(), prng.Between(1, 6));
                break;
        }

        return message;
    }

    /// <summary>Whether a body, broken or not, may be sent: 3.5.16 ends when asked to sort by what it does not know.</summary>
    /// <param name="method">The method.</param>
    /// <param name="body">The body.</param>
    /// <param name="isJson">Whether it is JSON.</param>
    /// <returns>True if nothing of that kind is in it.</returns>
    public static bool IsHarmless(MethodDescriptor method, byte[] body, bool isJson)
    {
        if (method.Name is not ("Range" or "Txn"))
        {
            return true;
        }

        if (isJson)
        {
            return !Encoding.UTF8.GetString(body).Contains("ort", StringComparison.Ordinal);
        }

        try
        {
            return IsHarmless(method.InputType.Parser.ParseFrom(body, 5, body.Length - 5));
        }
        catch (InvalidProtocolBufferException)
        {
            // Who cannot read it cannot sort by it.
            return true;
        }
    }

    private static bool IsHarmless(IMessage message) => message switch
    {
        RangeRequest range => Enum.IsDefined(range.SortTarget),
        TxnRequest txn => txn.Success.Concat(txn.Failure).All(static operation =>
            (operation.RequestRange is null || IsHarmless(operation.RequestRange)) && (operation.RequestTxn is null || IsHarmless(operation.RequestTxn))),
        _ => true,
    };

    private ByteString Fresh() => ByteString.CopyFromUtf8($"held/{++_names}");

    private IMessage Make(MessageDescriptor type, int depth)
    {
        var message = type.Parser.ParseFrom(ByteString.Empty);
        foreach (var oneof in type.Oneofs)
        {
            if (prng.Chance(24, 25))
            {
                var choices = oneof.Fields.Where(field => depth < NestingMax || field.FieldType != FieldType.Message || field.MessageType.Name != "TxnRequest").ToList();
                var chosen = choices[prng.Below(choices.Count)];
                chosen.Accessor.SetValue(message, Value(chosen, depth));
            }
        }

        foreach (var field in type.Fields.InDeclarationOrder().Where(static field => field.ContainingOneof is null))
        {
            if (field.IsRepeated)
            {
                var list = (IList)field.Accessor.GetValue(message);
                for (var count = prng.Below(ListedMax + 1); count > 0; count--)
                {
                    list.Add(Value(field, depth));
                }
            }
            else if (prng.Chance(IsNeeded(field) ? 19 : 7, 20) && IsWanted(field))
            {
                field.Accessor.SetValue(message, Value(field, depth));
            }
        }

        return message;
    }

    private static bool IsNeeded(FieldDescriptor field) => field.Name is "key" or "name" or "user" or "role" or "password" or "perm";

    // Filters by revision and limits hide the rest of an answer: not in each.
    private bool IsWanted(FieldDescriptor field) =>
        field.Name is not ("min_mod_revision" or "max_mod_revision" or "min_create_revision" or "max_create_revision" or "revision" or "ignore_value" or "ignore_lease") || prng.Chance(1, 4);

    private object Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.Message => Make(field.MessageType, depth + 1),
        FieldType.Bytes => ByteString.CopyFrom(Encoding.Latin1.GetBytes(Bytes(field.Name))),
        FieldType.String => Text(field.Name),
        FieldType.Bool => prng.Chance(1, 2),
        FieldType.Int64 => Integer(field.Name),
        FieldType.UInt64 => Ids[prng.Below(Ids.Length)],
        FieldType.UInt32 => (uint)prng.Below(3),
        FieldType.Enum => Enumerated(field.EnumType, depth),
        _ => throw new NotSupportedException($"no value is known for {field.FullName}"),
    };

    private string Bytes(string name) => name switch
    {
        "range_end" => Ends[prng.Below(Ends.Length)],
        "value" => prng.Below(40) switch
        {
            0 => new string('v', 3000),
            1 when prng.Chance(1, 20) => new string('l', 1_600_000),
            2 when prng.Chance(1, 20) => new string('x', 2_100_000),
            < 8 => "",
            var number => $"v{number}",
        },
        _ => Keys[prng.Below(Keys.Length)],
    };

    private string Text(string name) => name switch
    {
        "peerURLs" => Urls[prng.Below(Urls.Length)],
        "password" => Passwords[prng.Below(Passwords.Length)],
        "hashedPassword" => "",
        _ => Names[prng.Below(Names.Length)],
    };

    private long Integer(string name) => name switch
    {
        "lease" or "ID" => Leases[prng.Below(Leases.Length)],
        "limit" => new[] { 0, 1, 2, 3, -1, long.MaxValue }[prng.Below(6)],
        "version" => prng.Between(0, 4),
        _ when prng.Chance(1, 10) => new[] { -1, long.MaxValue, long.MinValue, Revision + 1, Revision + 1000 }[prng.Below(5)],
        _ => prng.Between(Math.Max(0, Revision - 40), Revision),
    };

    private object Enumerated(EnumDescriptor type, int depth)
    {
        // A sort that nobody knows is refused by one and not by the other, and within a transaction that sets the stores apart; other values end 3.5.16.
        var mayBeUnknown = type.Name is not ("SortTarget" or "AlarmAction" or "AlarmType") && (type.Name != "SortOrder" || depth == 0);
        return Enum.ToObject(type.ClrType, mayBeUnknown && prng.Chance(1, 25) ? (int)prng.Between(-1, 9) : type.Values[prng.Below(type.Values.Count)].Number);
    }
}
