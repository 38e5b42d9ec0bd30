using Cairn.Protocol;
using Cairn.Server;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;
using Cairn.Simulation.Disks;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Server.Simulated;

/// <summary>One member in a world of its own: a disk that fails on demand, and time that passes on demand.</summary>
public sealed class SingleNodeWorld
{
    private ulong _starts;

    private SingleNodeWorld(ulong seed) => Disk = new SimulatedDisk(seed, Time);

    /// <summary>Time of the world.</summary>
    public SimulatedTime Time { get; } = new();

    /// <summary>Disk of the member.</summary>
    public SimulatedDisk Disk { get; }

    /// <summary>What the member logs.</summary>
    public LogLines Log { get; } = new();

    /// <summary>What the member is told.</summary>
    public NodeOptions Options { get; set; } = new() { QuotaBytes = -1 };

    /// <summary>Runs a test in a new world.</summary>
    /// <param name="test">The test.</param>
    /// <param name="seed">Decides what is left to chance.</param>
    public static void Run(Func<SingleNodeWorld, Task> test, ulong seed = 1)
    {
        var world = new SingleNodeWorld(seed);
        SingleThread.Run(world.Time, () => test(world));
    }

    /// <summary>Starts the member.</summary>
    /// <returns>The running node, when it serves.</returns>
    public async Task<Node> StartAsync()
    {
        var node = await Node.StartAsync(Options, new NodeWorld
        {
            Disk = Disk,
            Time = Time,
            Seed = 7 + _starts++,
            LoggerFactory = Log,
            WalOptions = new WalOptions { SegmentBytes = 64 * 1024 },
            RevisionLogOptions = new RevisionLogOptions { SegmentBytes = 32 * 1024, ChunkBytes = 4096, TailBytes = 64 * 1024 },
        });
        var began = Time.GetTimestamp();
        while (!node.Ready.IsCompleted)
        {
            if (Time.GetElapsedTime(began) > TimeSpan.FromSeconds(30))
            {
                throw new TimeoutException("the node does not become ready");
            }

            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        await node.Ready;
        return node;
    }

    /// <summary>Lets time pass.</summary>
    /// <param name="span">How much.</param>
    /// <returns>Completes then.</returns>
    public Task PassAsync(TimeSpan span) => Task.Delay(span, Time);
}

/// <summary>Short forms of the requests that tests make.</summary>
public static class NodeRequests
{
    /// <summary>Nobody in particular, who waits for ever.</summary>
    public static RequestContext Anyone { get; } = new(CancellationToken.None);

    /// <summary>Makes bytes of text.</summary>
    public static ByteString Bytes(string text) => ByteString.CopyFromUtf8(text);

    /// <summary>Puts, and insists.</summary>
    public static async Task<PutResponse> PutAsync(this Node node, string key, string value, long lease = 0)
    {
        var answer = await node.PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value), Lease = lease }, Anyone);
        Assert.Equal(NodeError.None, answer.Error);
        return answer.Value!;
    }

    /// <summary>Reads a key.</summary>
    /// <returns>Its value; null if it does not exist.</returns>
    public static async Task<string?> GetAsync(this Node node, string key, bool serializable = false)
    {
        var answer = await node.RangeAsync(new RangeRequest { Key = Bytes(key), Serializable = serializable }, Anyone);
        Assert.Equal(NodeError.None, answer.Error);
        return answer.Value!.ToMessage().Kvs.FirstOrDefault()?.Value.ToStringUtf8();
    }

    /// <summary>Deletes a key, and insists.</summary>
    public static async Task<DeleteRangeResponse> DeleteAsync(this Node node, string key)
    {
        var answer = await node.DeleteRangeAsync(new DeleteRangeRequest { Key = Bytes(key) }, Anyone);
        Assert.Equal(NodeError.None, answer.Error);
        return answer.Value!;
    }

    /// <summary>Grants a lease, and insists.</summary>
    /// <returns>Its id.</returns>
    public static async Task<long> GrantAsync(this Node node, long ttl)
    {
        var answer = await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = ttl }, Anyone);
        Assert.Equal(NodeError.None, answer.Error);
        return answer.Value!.ID;
    }

    /// <summary>Renews a lease.</summary>
    /// <returns>Its time to live; 0 if it is gone.</returns>
    public static async Task<long> RenewAsync(this Node node, long id)
    {
        var answer = await node.LeaseKeepAliveAsync(new LeaseKeepAliveRequest { ID = id }, Anyone);
        Assert.Equal(NodeError.None, answer.Error);
        return answer.Value!.TTL;
    }
}
