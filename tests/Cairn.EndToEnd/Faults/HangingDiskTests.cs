using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>A single member whose syncs hang: writes wait for their clients' deadlines, and nothing else waits at all.</summary>
public sealed class HangingDiskTests
{
    // Longer than etcd's own request timeout, at which it gives up on behalf of its clients.
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(8);

    [Fact]
    public async Task Reads_watches_and_renewals_go_on_while_a_sync_hangs_and_a_write_waits_for_it()
    {
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var patient = Connect(server, TimeSpan.FromSeconds(60));
        var lease = (await patient.Lease.GrantAsync(5)).ID;
        var session = await patient.Kv.PutAsync(new PutRequest { Key = Text("session"), Value = Text("alive"), Lease = lease });

        var answered = 0;
        await patient.Lease.KeepAliveOnceAsync(lease); // The syncs before may have taken long.
        await using (await FaultyCalls.DelayAsync(server.Run, FaultyCalls.Syncs, Hang))
        {
            var write = patient.Kv.PutAsync("waits", "1");
            await using var impatient = Connect(server, TimeSpan.FromSeconds(5));
            for (; !write.IsCompleted; answered++)
            {
                await using var watcher = impatient.Watch.Open(KeyRange.Of(Text("session")), session.Header.Revision);
                Assert.Single((await watcher.NextAsync()).Events);
                Assert.Equal(5, (await impatient.Lease.KeepAliveOnceAsync(lease)).TTL);
                Assert.InRange((await impatient.Lease.TimeToLiveAsync(lease)).TTL, 1, 5);
                Assert.Equal("alive", (await impatient.Kv.GetAsync("session"))!.Value.ToStringUtf8());
            }

            await write;
        }

        Assert.InRange(answered, 10, int.MaxValue);
        Assert.Equal(session.Header.Revision, (await patient.Kv.GetAsync("session"))!.ModRevision);
        await patient.Kv.PutAsync("after", "1");
    }

    private static CairnClient Connect(Server server, TimeSpan timeout) => new(new ClientOptions { Endpoints = [server.Endpoint], CallTimeout = timeout, Seed = 1 });

    private static ByteString Text(string text) => ByteString.CopyFromUtf8(text);
}
