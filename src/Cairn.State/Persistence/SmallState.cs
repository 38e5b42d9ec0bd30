using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.State.Alarms;
using Cairn.State.Auth;
using Cairn.State.Healing;
using Cairn.State.Lease;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Google.Protobuf;

namespace Cairn.State.Persistence;

/// <summary>All of the state that is not in the revision log, as bytes for the manifest.</summary>
/// <remarks>
/// Protobuf's wire format with the fields below, so that later versions can add some. Deterministic: equal states give equal bytes.
/// <code>
///   1 format   2 revision   3 compacted+1   5 index   6 term   7 lease{1 id 2 ttl 3 remaining 4 rounded up}   8 alarm{1 member 2 kind}
///   9 member (etcd's JSON)   10 removed id   11 cluster version   12 downgrade target   13 auth{1 on 2 revision}   14 authpb.User   15 authpb.Role
///   16 cairn.HealingState, once a size was set
///   20 change of a user{1 revision 2 name}   21 token{1 last use 2 user 3 hash}
/// </code>
/// </remarks>
internal sealed record SmallState
{
    private const ulong Format = 1;

    public long Revision { get; set; } = 1;

    public long CompactedRevision { get; set; } = -1;

    public AppliedPosition Applied { get; set; }

    public List<LeaseInfo> Leases { get; init; } = [];

    public AlarmTable Alarms { get; set; } = AlarmTable.Empty;

    public MemberTable Members { get; set; } = MemberTable.Empty;

    public AuthTables Auth { get; set; } = AuthTables.Empty;

    public HealingTable Healing { get; set; } = HealingTable.Empty;

    public TokenTable Tokens { get; set; } = TokenTable.Empty;

    public static byte[] Encode(StateParts parts) => new SmallState
    {
        Revision = parts.Keys.Revision,
        CompactedRevision = parts.Keys.CompactedRevision,
        Applied = parts.Applied,
        Leases = [.. parts.Leases.List()],
        Alarms = parts.Alarms,
        Members = parts.Members,
        Auth = parts.Auth,
        Healing = parts.Healing,
        Tokens = parts.Tokens,
    }.Encode();

    public byte[] Encode()
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(buffer);
        writer.Number(1, Format);
        writer.Number(2, (ulong)Revision);
        writer.Number(3, (ulong)(CompactedRevision + 1));
        writer.Number(5, Applied.Index);
        writer.Number(6, Applied.Term);
        EncodeLeases(writer, Leases);
        EncodeMembers(writer, Alarms, Members);
        EncodeAuth(writer, Auth);
        if (Healing.IsCounting)
        {
            writer.Bytes(16, Healing.ToMessage().ToByteArray());
        }

        EncodeTokens(writer, Tokens);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Encode()"/> wrote.</summary>
    /// <returns>False if these bytes are something else, or of a later format.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out SmallState? state)
    {
        state = new SmallState();
        ulong format = 0, index = 0, term = 0;
        var isSound = true;
        var reader = new WireReader(bytes);
        while (isSound && reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case 1 << 3:
                    format = reader.ReadVarint();
                    break;
                case 2 << 3:
                    state.Revision = (long)reader.ReadVarint();
                    break;
                case 3 << 3:
                    state.CompactedRevision = (long)reader.ReadVarint() - 1;
                    break;
                case 5 << 3:
                    index = reader.ReadVarint();
                    break;
                case 6 << 3:
                    term = reader.ReadVarint();
                    break;
                default:
                    isSound = (tag & 7) == 2 ? state.TryTake((int)(tag >> 3), reader.ReadBytes()) : Skipped(ref reader, tag);
                    break;
            }
        }

        state.Applied = new AppliedPosition(index, term);
        return isSound && !reader.IsBroken && format == Format && state.Revision >= 1 && state.CompactedRevision <= state.Revision;
    }

    private static bool Skipped(ref WireReader reader, ulong tag)
    {
        reader.Skip(tag);
        return true;
    }

    private static void EncodeLeases(WireWriter writer, List<LeaseInfo> leases)
    {
        var nested = new ArrayBufferWriter<byte>(32);
        foreach (var lease in leases)
        {
            nested.ResetWrittenCount();
            var fields = new WireWriter(nested);
            fields.Number(1, (ulong)lease.Id);
            fields.Number(2, (ulong)lease.GrantedTtl);
            fields.Number(3, (ulong)lease.RemainingTtl);
            fields.Number(4, (ulong)lease.RoundedUp);
            writer.Bytes(7, nested.WrittenSpan);
        }
    }

    private static void EncodeMembers(WireWriter writer, AlarmTable alarms, MemberTable members)
    {
        foreach (var alarm in alarms.All)
        {
            writer.Bytes(8, new AlarmMember { MemberID = alarm.MemberId, Alarm = alarm.Kind }.ToByteArray());
        }

        foreach (var member in members.Members)
        {
            writer.Bytes(9, MemberJson.Encode(member));
        }

        Span<byte> removed = stackalloc byte[10];
        foreach (var id in members.Removed)
        {
            writer.Bytes(10, removed[..WireReader.WriteVarint(removed, id)]);
        }

        writer.Bytes(11, Encoding.UTF8.GetBytes(members.ClusterVersion ?? ""));
        writer.Bytes(12, Encoding.UTF8.GetBytes(members.Downgrade?.TargetVersion ?? ""));
    }

    private static void EncodeAuth(WireWriter writer, AuthTables auth)
    {
        var nested = new ArrayBufferWriter<byte>(16);
        var fields = new WireWriter(nested);
        fields.Number(1, auth.IsEnabled ? 1UL : 0);
        fields.Number(2, auth.Revision);
        writer.Bytes(13, nested.WrittenSpan);
        foreach (var user in auth.Users.Values)
        {
            writer.Bytes(14, AuthRows.Message(user).ToByteArray());
            nested.ResetWrittenCount();
            fields.Number(1, user.ChangedAt);
            fields.Bytes(2, Encoding.UTF8.GetBytes(user.Name));
            writer.Bytes(20, nested.WrittenSpan);
        }

        foreach (var role in auth.Roles.Values)
        {
            writer.Bytes(15, AuthRows.Message(role).ToByteArray());
        }
    }

    private static void EncodeTokens(WireWriter writer, TokenTable tokens)
    {
        var nested = new ArrayBufferWriter<byte>(64);
        var fields = new WireWriter(nested);
        foreach (var (hash, token) in tokens.All)
        {
            nested.ResetWrittenCount();
            fields.Number(1, token.LastUse);
            fields.Bytes(2, Encoding.UTF8.GetBytes(token.UserName));
            fields.Bytes(3, hash.ToByteString().Span);
            writer.Bytes(21, nested.WrittenSpan);
        }
    }

    private static (ulong First, ulong Second, ulong Third, ulong Fourth) Numbers(ReadOnlySpan<byte> bytes)
    {
        (ulong First, ulong Second, ulong Third, ulong Fourth) numbers = default;
        var reader = new WireReader(bytes);
        while (reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case 1 << 3:
                    numbers.First = reader.ReadVarint();
                    break;
                case 2 << 3:
                    numbers.Second = reader.ReadVarint();
                    break;
                case 3 << 3:
                    numbers.Third = reader.ReadVarint();
                    break;
                case 4 << 3:
                    numbers.Fourth = reader.ReadVarint();
                    break;
                default:
                    reader.Skip(tag);
                    break;
            }
        }

        return numbers;
    }

    private bool TryTake(int field, ReadOnlySpan<byte> bytes)
    {
        try
        {
            return field switch
            {
                7 => TakeLease(Numbers(bytes)),
                8 => TakeAlarm(AlarmMember.Parser.ParseGuarded(bytes)),
                9 => MemberJson.TryParse(bytes, out var member, out _) && TakeMember(member),
                10 => TakeRemoved(bytes),
                11 => Take(Members with { ClusterVersion = Encoding.UTF8.GetString(bytes) }),
                12 => Take(Members with { Downgrade = new DowngradeJob(Encoding.UTF8.GetString(bytes)) }),
                13 => TakeAuth(Numbers(bytes)),
                14 => TakeUser(AuthRows.Read(User.Parser.ParseGuarded(bytes))),
                15 => TakeRole(AuthRows.Read(Role.Parser.ParseGuarded(bytes))),
                16 => Take(HealingTable.Read(HealingState.Parser.ParseGuarded(bytes))),
                20 => TakeChange(bytes),
                21 => TakeToken(bytes),
                _ => true,
            };
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private bool TakeLease((ulong Id, ulong Ttl, ulong Remaining, ulong RoundedUp) numbers)
    {
        Leases.Add(new LeaseInfo((long)numbers.Id, (long)numbers.Ttl, LeaseInfo.RemainingOf((long)numbers.Remaining, (long)numbers.RoundedUp)));
        return numbers.Id != 0;
    }

    private bool TakeAlarm(AlarmMember alarm)
    {
        Alarms = Alarms.With(new Alarm(alarm.MemberID, alarm.Alarm));
        return true;
    }

    private bool TakeMember(MemberRecord member) => Take(Members with { Members = Members.Members.Add(member) });

    private bool TakeRemoved(ReadOnlySpan<byte> bytes)
    {
        var reader = new WireReader(bytes);
        return Take(Members with { Removed = Members.Removed.Add(reader.ReadVarint()) }) && !reader.IsBroken;
    }

    private bool Take(MemberTable members)
    {
        Members = members;
        return true;
    }

    private bool Take(HealingTable healing)
    {
        Healing = healing;
        return true;
    }

    private bool TakeAuth((ulong IsEnabled, ulong Revision, ulong, ulong) numbers)
    {
        Auth = Auth.Switched(numbers.IsEnabled != 0, numbers.Revision);
        return numbers.Revision > 0;
    }

    /// <summary>Takes a user. Where nothing says when it changed (the state was not written by Cairn), it counts as changed just now.</summary>
    private bool TakeUser(AuthUser user) => Take(Auth.Users.SetItem(user.Name, user with { ChangedAt = Auth.Revision }), Auth.Roles);

    private bool TakeChange(ReadOnlySpan<byte> bytes)
    {
        if (!TryReadNamed(bytes, out var named) || !Auth.Users.TryGetValue(named.Name, out var user))
        {
            return false;
        }

        return Take(Auth.Users.SetItem(user.Name, user with { ChangedAt = named.Number }), Auth.Roles);
    }

    private bool TakeToken(ReadOnlySpan<byte> bytes)
    {
        if (!TryReadNamed(bytes, out var named))
        {
            return false;
        }

        Tokens = Tokens.With(named.Hash, named.Name, named.Number);
        return true;
    }

    private static bool TryReadNamed(ReadOnlySpan<byte> bytes, out (ulong Number, string Name, TokenHash Hash) named)
    {
        named = (0, "", default);
        var reader = new WireReader(bytes);
        while (reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case 1 << 3:
                    named.Number = reader.ReadVarint();
                    break;
                case (2 << 3) | 2:
                    named.Name = Encoding.UTF8.GetString(reader.ReadBytes());
                    break;
                case (3 << 3) | 2:
                    named.Hash = TokenHash.Read(reader.ReadBytes());
                    break;
                default:
                    reader.Skip(tag);
                    break;
            }
        }

        return !reader.IsBroken;
    }

    private bool TakeRole(AuthRole role) => Take(Auth.Users, Auth.Roles.SetItem(role.Name, role));

    private bool Take(ImmutableSortedDictionary<string, AuthUser> users, ImmutableSortedDictionary<string, AuthRole> roles)
    {
        Auth = new AuthTables(Auth.IsEnabled, Auth.Revision, users, roles);
        return true;
    }
}
