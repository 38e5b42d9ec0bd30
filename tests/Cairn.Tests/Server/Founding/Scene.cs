using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Server;
using Cairn.Server.Founding;
using Cairn.State.Members;
using Google.Protobuf;

namespace Cairn.Tests.Server.Founding;

/// <summary>Members a, b and c before there is a cluster, as they see and show each other.</summary>
internal static class Scene
{
    private const string Token = "etcd-cluster";

    public static readonly ImmutableArray<string> Names = ["a", "b", "c"];

    public static readonly ImmutableArray<MemberRecord> Listed = FoundingRecords.Listed(new NodeOptions
    {
        ClusterToken = Token,
        InitialCluster = [.. Names.Select(name => new InitialMember(name, [$"http://{name}:2380"]))],
    });

    public static ulong IdOf(string name) => Listed.First(member => member.Name == name).Id;

    public static FoundingFacts Facts(params Finding[] findings) => FactsOf("a", 1, findings);

    public static FoundingFacts FactsOf(string name, ulong incarnation, params Finding[] findings) => new()
    {
        Name = name,
        PeerUrls = [$"http://{name}:2380"],
        Listed = Listed,
        TokenHash = FoundingRecords.HashToken(Token),
        IsJoining = false,
        Rule = BootstrapRule.All,
        Incarnation = incarnation,
        HasListened = true,
        Findings = [.. findings],
    };

    public static Finding Silent(string name) => new(name, $"http://{name}:2380");

    public static Finding Empty(string name, ulong incarnation)
    {
        var shown = new Handshake
        {
            Name = name,
            TokenHash = ByteString.CopyFrom(FoundingRecords.HashToken(Token)),
            Incarnation = incarnation,
            Standing = Standing.Empty,
        };
        shown.Listed.AddRange(Listed.Select(FoundingRecords.Write));
        return Silent(name) with { Shown = shown };
    }

    public static Finding Agreed(string name, ulong incarnation, FoundingRecord record)
    {
        var finding = Empty(name, incarnation);
        finding.Shown!.Standing = Standing.Founding; // Just made.
        finding.Shown.Founding = record;
        return finding;
    }

    public static Finding Member(string name, ulong incarnation, FoundingRecord record, params KnownMember[] added)
    {
        var finding = Agreed(name, incarnation, record);
        finding.Shown!.Standing = Standing.Member; // Just made.
        finding.Shown.ClusterId = record.ClusterId;
        finding.Shown.Listed.Clear();
        finding.Shown.Members.AddRange(added.Length == 0 ? record.Members : record.Members.Where(member => member.Name != "a").Concat(added));
        return finding;
    }

    public static FoundingRecord Record(params ulong[] incarnations)
    {
        var findings = Names.Skip(1).Select((name, i) => Empty(name, incarnations[i + 1])).ToArray();
        return FoundingRecords.Of(FactsOf("a", incarnations[0], findings));
    }
}
