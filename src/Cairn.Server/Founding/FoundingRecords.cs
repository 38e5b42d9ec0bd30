using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Cairn.Protocol.Peers;
using Cairn.State.Members;
using Google.Protobuf;

namespace Cairn.Server.Founding;

/// <summary>Makes and reads founding records, and what members say of each other.</summary>
internal static class FoundingRecords
{
    /// <summary>The members of a cluster to be founded, with etcd's ids, by ascending id.</summary>
    /// <param name="options">What the node was told.</param>
    /// <returns>The members.</returns>
    public static ImmutableArray<MemberRecord> Listed(NodeOptions options)
    {
        var listed = options.InitialCluster.IsEmpty ? [new InitialMember(options.Name, options.PeerUrls)] : options.InitialCluster;
        return
        [
            .. listed.Select(member => new MemberRecord
            {
                Id = ClusterIds.OfMember(member.PeerUrls, options.ClusterToken, addedAt: null),
                Name = member.Name,
                PeerUrls = [.. member.PeerUrls.Order(StringComparer.Ordinal)],
            }).OrderBy(member => member.Id),
        ];
    }

    /// <summary>Hashes a token, so that it can be compared without being told.</summary>
    /// <param name="token">The token.</param>
    /// <returns>The hash.</returns>
    public static byte[] HashToken(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <summary>The record that follows from everybody's answer.</summary>
    /// <param name="facts">Facts, of which every listed member is part.</param>
    /// <returns>The record.</returns>
    public static FoundingRecord Of(FoundingFacts facts) => Make(facts, member => member.Name == facts.Name
        ? facts.Incarnation
        : facts.Findings.First(finding => finding.Name == member.Name).Shown!.Incarnation); // Every listed member has answered.

    /// <summary>The record that follows from the list alone.</summary>
    /// <param name="facts">Facts.</param>
    /// <returns>The record.</returns>
    public static FoundingRecord WithoutIncarnations(FoundingFacts facts) => Make(facts, static _ => 0);

    /// <summary>Writes what is known of a member.</summary>
    /// <param name="member">The member.</param>
    /// <returns>The message.</returns>
    public static KnownMember Write(MemberRecord member)
    {
        var known = new KnownMember
        {
            Id = member.Id,
            Name = member.Name,
            Incarnation = member.Incarnation,
            IsLearner = member.IsLearner,
            HasStarted = member.ClientUrls.Length > 0,
        };
        known.PeerUrls.AddRange(member.PeerUrls);
        return known;
    }

    /// <summary>Reads what is known of a member.</summary>
    /// <param name="known">The message.</param>
    /// <returns>The member; its client URLs are not part of it.</returns>
    public static MemberRecord Read(KnownMember known) => new()
    {
        Id = known.Id,
        Name = known.Name,
        PeerUrls = [.. known.PeerUrls],
        IsLearner = known.IsLearner,
        Incarnation = known.Incarnation,
    };

    /// <summary>A number for a founding, the same for all its founders.</summary>
    /// <param name="record">The record.</param>
    /// <returns>The first bytes of its hash.</returns>
    public static ulong IdOf(FoundingRecord record) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(record.ToByteArray()));

    private static FoundingRecord Make(FoundingFacts facts, Func<MemberRecord, ulong> incarnationOf)
    {
        var record = new FoundingRecord { ClusterId = ClusterIds.OfCluster(facts.Listed.Select(member => member.Id)) };
        record.Members.AddRange(facts.Listed.Select(member => Write(member with { Incarnation = incarnationOf(member) })));
        return record;
    }
}
