using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Cairn.Raft;
using Cairn.State.Entries;
using Cairn.State.Members;
using Cairn.Storage;

namespace Cairn.State.Schema;

/// <summary>The members as etcd's log has them: those of its newest snapshot, and what the entries behind that changed.</summary>
/// <remarks>
/// <para>
/// etcd 3.5.1 to 3.5.19 never updated a row of a member in the backend once it was there: a promoted learner stays one, new URLs are missing. What that version
/// itself starts from is the tree of the v2 store in its snapshot file:
/// </para>
/// <code>
///   /0/members/ID/raftAttributes {"peerURLs":[…],"isLearner":true}   /0/members/ID/attributes {"name":…,"clientURLs":[…]}   /0/removed_members/ID   /0/version   /1 …
/// </code>
/// <para>Owned by whoever opens a directory. Source: etcd server/etcdserver/api/membership/store.go, api/v2store/store.go.</para>
/// </remarks>
/// <param name="learnersMax">Most learners at a time, as the members have it: by default 1.</param>
public sealed class MembershipReplay(int learnersMax)
{
    private const string V2Advice = "the store holds keys of etcd's v2 API, which this store does not have: write them through the v3 API, or remove them, with etcd 3.5, then try again";

    /// <summary>The members so far.</summary>
    public MemberTable Members { get; private set; } = MemberTable.Empty;

    /// <summary>Says whether an entry may change the members, or may not be taken over at all; of the others nothing needs to be kept.</summary>
    /// <param name="entry">An entry.</param>
    /// <returns>Whether <see cref="Take"/> needs to see it.</returns>
    public static bool Concerns(Entry entry)
    {
        if (entry.Type != EntryType.Normal)
        {
            return true;
        }

        if (entry.Data.IsEmpty || PutEntry.TryDecode(entry.Data.Span, out _))
        {
            return false;
        }

        return EntryDecoder.ChangesV2Keys(entry.Data.Span)
            || EntryDecoder.Decode(entry.Data) is not { } request
            || ClusterDispatch.Change(MemberTable.Empty, request) is not null;
    }

    /// <summary>Says whether only Cairn's members know what to make of an entry.</summary>
    /// <param name="entry">An entry.</param>
    /// <returns>True for an entry at which an etcd member would stop.</returns>
    public static bool IsUnknownToEtcd(Entry entry) => entry.Type == EntryType.ConfChangeV2
        || (entry.Type == EntryType.Normal && !entry.Data.IsEmpty && !PutEntry.TryDecode(entry.Data.Span, out _)
            && EntryDecoder.Decode(entry.Data) is { } request && request.Healing is not null);

    /// <summary>Finds the last entry at which an etcd member would stop.</summary>
    /// <param name="entries">Entries of the log.</param>
    /// <returns>Its index; null if there is none.</returns>
    public static ulong? LastUnknownToEtcd(ReadOnlySpan<Entry> entries)
    {
        for (var i = entries.Length - 1; i >= 0; i--)
        {
            if (IsUnknownToEtcd(entries[i]))
            {
                return entries[i].Index;
            }
        }

        return null;
    }

    /// <summary>Begins with a snapshot.</summary>
    /// <param name="path">Of its file, for messages.</param>
    /// <param name="snapshot">Its data is the v2 store's JSON.</param>
    /// <exception cref="CorruptionException">The data is not what etcd writes, or holds keys of the v2 API.</exception>
    public void Begin(string path, Snapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        try
        {
            using var json = JsonDocument.Parse(snapshot.Data);
            var root = json.RootElement.GetProperty("Root");
            if (Child(root, "1") is { } keys && Children(keys).Any())
            {
                throw new CorruptionException(path, 0, V2Advice);
            }

            ReadMembers(root);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new CorruptionException(path, 0, $"the snapshot's data is not a membership in the JSON of etcd's v2 store: {e.Message}");
        }

        var config = snapshot.Metadata.ConfState;
        if (!Members.Members.Select(static member => member.Id).SequenceEqual(config.Voters.Concat(config.Learners).Order()))
        {
            throw new CorruptionException(path, 0, $"the snapshot's members are not those of its configuration, {config}");
        }

        Members = Members with { Members = [.. Members.Members.Select(member => member with { IsLearner = config.Learners.Contains(member.Id) })] };
    }

    /// <summary>Takes in an entry behind the snapshot.</summary>
    /// <param name="path">Of the log, for messages.</param>
    /// <param name="entry">The next one of those that concern the members.</param>
    /// <exception cref="CorruptionException">The entry is none that can be taken over.</exception>
    public void Take(string path, Entry entry)
    {
        if (entry.Type != EntryType.Normal)
        {
            var change = (entry.Type == EntryType.ConfChange ? MemberChange.Parse(entry.Data.Span) : null) ?? throw Unknown(path, entry);
            Members = Members.Validate(change, learnersMax) == StoreError.None ? Members.With(change) : Members;
            return;
        }

        if (EntryDecoder.ChangesV2Keys(entry.Data.Span))
        {
            throw new CorruptionException(path, (long)entry.Index, $"entry {entry.Index}: {V2Advice}");
        }

        var request = EntryDecoder.Decode(entry.Data) ?? throw Unknown(path, entry);
        Members = ClusterDispatch.Change(Members, request) ?? Members;
    }

    private static CorruptionException Unknown(string path, Entry entry) =>
        new(path, (long)entry.Index, $"entry {entry.Index} is none that this version understands");

    private void ReadMembers(JsonElement root)
    {
        var members = new List<MemberRecord>();
        var removed = ImmutableArray<ulong>.Empty;
        string? version = null;
        if (Child(root, "0") is { } cluster)
        {
            version = Child(cluster, "version") is { } node ? Value(node) : null;
            members.AddRange(Children(Child(cluster, "members")).Select(ReadMember));
            removed = [.. Children(Child(cluster, "removed_members")).Select(static child => Id(child.Name)).Order()];
        }

        Members = MemberTable.Empty with { Members = [.. members.OrderBy(static member => member.Id)], Removed = removed, ClusterVersion = version };
    }

    private static MemberRecord ReadMember((string Name, JsonElement Node) member)
    {
        var record = new MemberRecord { Id = Id(member.Name) };
        if (Child(member.Node, "raftAttributes") is { } raft && MemberJson.TryParse(System.Text.Encoding.UTF8.GetBytes(Value(raft)), out var address, out _))
        {
            record = record with { PeerUrls = address.PeerUrls, IsLearner = address.IsLearner };
        }

        if (Child(member.Node, "attributes") is { } published && MemberJson.TryParse(System.Text.Encoding.UTF8.GetBytes(Value(published)), out var attributes, out _))
        {
            record = record with { Name = attributes.Name, ClientUrls = attributes.ClientUrls };
        }

        return record;
    }

    private static ulong Id(string hex) => ulong.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static string Value(JsonElement node) => node.GetProperty("Value").GetString() ?? "";

    private static JsonElement? Child(JsonElement node, string name) =>
        Children(node).Where(child => child.Name == name).Select(static child => (JsonElement?)child.Node).FirstOrDefault();

    private static IEnumerable<(string Name, JsonElement Node)> Children(JsonElement? node) =>
        node is { } parent && parent.TryGetProperty("Children", out var children) && children.ValueKind == JsonValueKind.Object
            ? children.EnumerateObject().Select(static child => (child.Name, child.Value))
            : [];
}
