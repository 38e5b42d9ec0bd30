using System.Collections.Immutable;
using Cairn.State;
using Cairn.State.Healing;
using Cairn.State.Members;
using Cairn.State.Schema;

namespace Cairn.Offline;

/// <summary>The cluster that a restored member begins: a new one, with ids that follow from names, URLs and token as for any new cluster.</summary>
/// <remarks>Source: etcd server/config/config.go (VerifyBootstrap), server/etcdserver/api/membership/cluster.go.</remarks>
internal sealed record RestorePlan
{
    /// <summary>The term of the entries that begin the log.</summary>
    public const ulong Term = 1;

    private RestorePlan(ImmutableArray<MemberRecord> members, ulong memberId, string token)
    {
        Members = members;
        MemberId = memberId;
        Token = token;
        ClusterId = ClusterIds.OfCluster(members.Select(static member => member.Id));
    }

    /// <summary>The members, by ascending id.</summary>
    public ImmutableArray<MemberRecord> Members { get; }

    /// <summary>The one that is restored here.</summary>
    public ulong MemberId { get; }

    /// <summary>The cluster.</summary>
    public ulong ClusterId { get; private init; }

    /// <summary>Its token.</summary>
    public string Token { get; }

    /// <summary>The lost cluster that this one goes on from; null for a cluster that begins by itself.</summary>
    public NewEpoch? Epoch { get; private init; }

    private ImmutableArray<MemberRecord> Lost { get; init; } = [];

    /// <summary>Makes the state of a snapshot the first one of this cluster.</summary>
    /// <param name="state">The state of the snapshot.</param>
    /// <returns>The state after the entries that begin the log: one for each member.</returns>
    public EtcdState Begin(EtcdState state)
    {
        var placed = state.With(MemberTable.Empty with { Members = Epoch is null ? Members : Lost, ClusterVersion = state.Members.ClusterVersion });
        return (Epoch is null ? placed : placed.Found(Epoch)).At(new AppliedPosition((ulong)Members.Length, Term));
    }

    /// <summary>Plans a new epoch of this cluster: this member founds it alone, and the others are taken in again.</summary>
    /// <param name="clusterId">Its id: a random number, so that two recoveries never share one.</param>
    /// <param name="record">What is told of it ever after.</param>
    /// <returns>The plan.</returns>
    public RestorePlan AsEpoch(ulong clusterId, HealRecord record)
    {
        var self = Members.Single(member => member.Id == MemberId);
        return new RestorePlan([self], MemberId, Token)
        {
            ClusterId = clusterId,
            Epoch = new NewEpoch { FormerCluster = ClusterId, Founder = self, HighestRevision = 0, Record = record },
            Lost = Members,
        };
    }

    /// <summary>Reads the options that name the cluster.</summary>
    /// <param name="name">This member.</param>
    /// <param name="peerUrls">Its peer URLs, separated by commas.</param>
    /// <param name="cluster">NAME=URL pairs, separated by commas; a name with several URLs comes several times.</param>
    /// <param name="token">The token.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="OfflineException">The options contradict each other.</exception>
    public static RestorePlan Of(string name, string peerUrls, string cluster, string token)
    {
        var urls = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var pair in cluster.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw new OfflineException($"--initial-cluster has '{pair}' where NAME=URL is expected");
            }

            if (!urls.TryGetValue(pair[..equals], out var list))
            {
                urls.Add(pair[..equals], list = []);
            }

            list.Add(Verified(pair[(equals + 1)..], "--initial-cluster"));
        }

        var advertised = peerUrls.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(static url => Verified(url, "--initial-advertise-peer-urls")).Order(StringComparer.Ordinal);
        if (!urls.TryGetValue(name, out var own))
        {
            throw new OfflineException($"couldn't find local name \"{name}\" in the initial cluster configuration \"{cluster}\"");
        }

        if (!own.Order(StringComparer.Ordinal).SequenceEqual(advertised))
        {
            throw new OfflineException($"--initial-cluster must include {name}={peerUrls} given --initial-advertise-peer-urls={peerUrls}");
        }

        var members = urls.Select(member => Member(member.Key, member.Value, token)).OrderBy(static member => member.Id).ToImmutableArray();
        if (members.Select(static member => member.Id).Distinct().Count() < members.Length)
        {
            throw new OfflineException("--initial-cluster names the same peer URLs twice");
        }

        return new RestorePlan(members, members.Single(member => member.Name == name).Id, token);
    }

    /// <summary>Reads the options that name the cluster, where a member is listed with all the URLs that it has.</summary>
    /// <param name="name">This member.</param>
    /// <param name="cluster">NAME=URL pairs, separated by commas.</param>
    /// <param name="token">The token.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="OfflineException">The options contradict each other.</exception>
    public static RestorePlan Of(string name, string cluster, string token) => Of(
        name,
        string.Join(',', cluster.Split(',', StringSplitOptions.TrimEntries).Where(pair => pair.StartsWith($"{name}=", StringComparison.Ordinal)).Select(pair => pair[(name.Length + 1)..])),
        cluster,
        token);

    private static MemberRecord Member(string name, List<string> urls, string token) => new()
    {
        Id = ClusterIds.OfMember(urls, token, addedAt: null),
        Name = name,
        PeerUrls = [.. urls.Order(StringComparer.Ordinal)],
    };

    private static string Verified(string url, string option) =>
        Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https" && parsed.AbsolutePath == "/" && parsed.Port > 0
            ? url.TrimEnd('/')
            : throw new OfflineException($"{option} has '{url}', which is no URL such as http://10.0.0.1:2380");
}
