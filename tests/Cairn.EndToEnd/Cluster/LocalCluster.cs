using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Cluster;

/// <summary>Three members, or more, on the loopback interface.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ScratchDirectory _directory = new();

    private LocalCluster(int count) => Members = [.. Enumerable.Range(1, count).Select(i => new ClusterMember($"m{i}", _directory[$"m{i}"]))];

    /// <summary>The members.</summary>
    public ClusterMember[] Members { get; }

    /// <summary>Starts all members.</summary>
    /// <param name="flags">Their flags beside the usual ones.</param>
    /// <returns>The cluster, of which every member serves.</returns>
    public static async Task<LocalCluster> StartAsync(params string[] flags)
    {
        var cluster = new LocalCluster(count: 3);
        Array.ForEach(cluster.Members, member => member.Flags = flags);
        try
        {
            await cluster.LaunchAsync(cluster.Members);
            return cluster;
        }
        catch
        {
            // Nobody else knows of the processes.
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Prepares members that are not started.</summary>
    /// <param name="count">How many.</param>
    /// <returns>The cluster.</returns>
    public static LocalCluster Prepare(int count = 3) => new(count);

    /// <summary>Starts members in an order and waits until they serve.</summary>
    /// <param name="members">The members.</param>
    public async Task LaunchAsync(params ClusterMember[] members)
    {
        foreach (var member in members)
        {
            member.Launch(Members);
        }

        await Task.WhenAll(members.Select(static member => member.ReadyAsync()));
    }

    /// <summary>Makes a client of all members.</summary>
    public CairnClient Connect() => new(new ClientOptions { Endpoints = [.. Members.Select(static member => member.Endpoint)], Tls = Members[0].Tls, Seed = 1 });

    /// <summary>Finds the leader.</summary>
    public async Task<ClusterMember> LeaderAsync()
    {
        await using var client = Members[0].Connect();
        ulong leader = 0;
        await UntilAsync(async () => (leader = (await client.Maintenance.StatusAsync(Members[0].Endpoint)).Leader) != 0);
        foreach (var member in Members)
        {
            await using var one = member.Connect();
            if ((await one.Maintenance.StatusAsync(member.Endpoint)).Header.MemberId == leader)
            {
                return member;
            }
        }

        throw new InvalidOperationException($"nobody is {leader:x}");
    }

    /// <summary>Waits until members have the same history up to the newest revision of all.</summary>
    /// <param name="members">The members.</param>
    public static async Task AgreeAsync(params ClusterMember[] members)
    {
        var clients = members.Select(static member => member.Connect()).ToArray();
        try
        {
            await UntilAsync(async () =>
            {
                // Somebody may be writing: all are asked for the same revision, and who does not have it yet refuses.
                var newest = (await Task.WhenAll(clients.Zip(members, static (client, member) => client.Maintenance.StatusAsync(member.Endpoint)))).Max(static status => status.Header.Revision);
                var hashes = await Task.WhenAll(clients.Zip(members, (client, member) => client.Maintenance.HashKvAsync(member.Endpoint, newest)));
                return hashes.Select(static hash => (hash.Hash, hash.CompactRevision)).Distinct().Count() == 1;
            });
        }
        finally
        {
            foreach (var client in clients)
            {
                await client.DisposeAsync();
            }
        }
    }

    /// <summary>Waits for something; what a member refuses meanwhile does not count.</summary>
    /// <param name="condition">What to wait for.</param>
    /// <param name="describe">Says how it is if it was waited for in vain.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string>? describe = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < Patience)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (ClientException)
            {
                // Not yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }

        Assert.Fail($"waited in vain. {describe?.Invoke()}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var member in Members)
        {
            await member.DisposeAsync();
        }

        _directory.Dispose();
    }
}
