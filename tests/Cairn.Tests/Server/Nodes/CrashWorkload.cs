using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Cairn.Simulation.Disks;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Founds a member, works it through writes, deletes, leases, a compaction, manifests and a restart, and remembers what was acknowledged.</summary>
internal sealed class CrashWorkload
{
    private readonly SingleNodeWorld _world;
    private readonly Dictionary<string, string?> _acknowledged = [];
    private readonly Dictionary<string, HashSet<string?>> _possible = [];
    private readonly List<long> _leases = [];

    public CrashWorkload(SingleNodeWorld world)
    {
        _world = world;
        world.Options = world.Options with { SnapshotEntries = 10 };
    }

    /// <summary>Highest revision that an acknowledgement showed.</summary>
    public long RevisionSeen { get; private set; }

    /// <summary>Works until done, or until the disk is gone.</summary>
    public async Task RunAsync()
    {
        for (var life = 0; life < 2; life++)
        {
            Node node;
            try
            {
                node = await _world.StartAsync();
            }
            catch (Exception exception) when (exception is SimulatedCrashException or TimeoutException or OperationCanceledException or IOException)
            {
                return;
            }

            var isDone = await WorkAsync(node, life);
            await node.DisposeAsync();
            if (!isDone)
            {
                return;
            }
        }
    }

    /// <summary>Checks that everything acknowledged is there, and nothing that nobody wrote.</summary>
    public async Task CheckAsync(Node node)
    {
        foreach (var (key, possible) in _possible)
        {
            Assert.Contains(await node.GetAsync(key), possible);
        }

        foreach (var lease in _leases)
        {
            Assert.NotEqual(-1, (await node.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = lease }, Anyone)).Value!.TTL);
        }

        Assert.True(node.Look().Revision >= RevisionSeen);
    }

    private async Task<bool> WorkAsync(Node node, int life)
    {
        for (var i = 0; i < 24; i++)
        {
            var key = $"key-{i % 5}";
            var isAcknowledged = i % 7 == 6
                ? await DeleteAsync(node, key)
                : await PutAsync(node, key, $"{life}-{i}-{new string('x', 200)}");
            if (!isAcknowledged)
            {
                return false;
            }

            if (i == 12)
            {
                await node.CompactAsync(new CompactionRequest { Revision = node.Look().Revision - 2 }, Patient());
                await GrantAsync(node);
            }

            // Now and then long enough for a manifest.
            await _world.PassAsync(i % 8 == 7 ? TimeSpan.FromSeconds(6) : TimeSpan.FromMilliseconds(10));
        }

        return true;
    }

    private async Task<bool> PutAsync(Node node, string key, string value)
    {
        Attempt(key, value);
        var answer = await node.PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value) }, Patient());
        return Note(answer.Error, answer.Value?.Header, key, value);
    }

    private async Task<bool> DeleteAsync(Node node, string key)
    {
        Attempt(key, null);
        var answer = await node.DeleteRangeAsync(new DeleteRangeRequest { Key = Bytes(key) }, Patient());
        return Note(answer.Error, answer.Value?.Header, key, null);
    }

    private async Task GrantAsync(Node node)
    {
        var answer = await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 100_000 }, Patient());
        if (answer.Succeeded)
        {
            _leases.Add(answer.Value.ID);
        }
    }

    /// <summary>Somebody who waits for long, not for ever: a disk may be gone for good.</summary>
    private RequestContext Patient() => new(new CancellationTokenSource(TimeSpan.FromMinutes(1), _world.Time).Token);

    /// <summary>From now on the key may be either, until the outcome is known.</summary>
    private void Attempt(string key, string? value) => _possible[key] = [_acknowledged.GetValueOrDefault(key), value];

    private bool Note(NodeError error, ResponseHeader? header, string key, string? value)
    {
        if (error != NodeError.None)
        {
            return false;
        }

        _acknowledged[key] = value;
        _possible[key] = [value];
        RevisionSeen = header!.Revision;
        return true;
    }
}
