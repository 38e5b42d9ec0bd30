using System.Globalization;
using System.Security.Cryptography;
using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.EndToEnd.Files;

/// <summary>What a server has stored, as text that can be compared with another server's: hashes at several revisions, keys, leases with their keys, alarms.</summary>
internal static class StoreContents
{
    /// <summary>Writes puts, deletions, transactions, leases and a compaction.</summary>
    /// <param name="server">Where to.</param>
    /// <param name="seed">What to write: other numbers, other data.</param>
    public static async Task FillAsync(Server server, int seed = 1)
    {
        await using var client = server.Connect();
        var lease = await client.Lease.GrantAsync(5000 + seed);
        var unused = await client.Lease.GrantAsync(600);
        for (var i = 0; i < 60; i++)
        {
            await client.Kv.PutAsync($"key{i % 20}", $"value{seed}.{i}");
        }

        await client.Kv.PutAsync("leased/a", "1", lease.ID);
        await client.Kv.PutAsync("leased/b", "2", lease.ID);
        await client.Kv.DeleteAsync("key3");
        await client.Kv.DeleteAsync(KeyRange.Prefix("key1"));
        await client.Lease.RevokeAsync(unused.ID);
        var txn = new TxnRequest();
        txn.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = ByteString.CopyFromUtf8("txn/a"), Value = ByteString.CopyFromUtf8($"{seed}") } });
        txn.Success.Add(new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = ByteString.CopyFromUtf8("key2") } });
        var latest = (await client.Kv.TxnAsync(txn)).Header.Revision;
        await client.Kv.PutAsync("big", new string('b', 100_000));
        await client.Kv.CompactAsync(latest - 10, physical: true);
        await client.Kv.PutAsync("after", "compaction");
        await client.Kv.DeleteAsync("leased/b");
    }

    /// <summary>Makes users and roles, and switches authentication on and off again.</summary>
    /// <param name="server">Where.</param>
    public static async Task PermitAsync(Server server)
    {
        await using var client = server.Connect();
        await client.Auth.AddUserAsync(new AuthUserAddRequest { Name = "root", Password = "secret" });
        await client.Auth.AddUserAsync(new AuthUserAddRequest { Name = "reader", Password = "word" });
        await client.Auth.AddRoleAsync("reads");
        await client.Auth.GrantPermissionAsync("reads", Granted(Permission.Types.Type.Read, "key", "kez"));
        await client.Auth.GrantPermissionAsync("reads", Granted(Permission.Types.Type.Readwrite, "load/", "load0"));
        await client.Auth.GrantRoleAsync("reader", "reads");
        await client.Auth.GrantRoleAsync("root", "root");
        await client.Auth.EnableAsync();
        await using var root = new CairnClient(new ClientOptions { Endpoints = [server.Endpoint], UserName = "root", Password = "secret", Seed = 1 });
        await root.Auth.DisableAsync();
    }

    /// <summary>Reads everything.</summary>
    /// <param name="server">Where from.</param>
    /// <returns>A line for each fact.</returns>
    public static async Task<List<string>> ReadAsync(Server server)
    {
        await using var client = server.Connect();
        var lines = new List<string>();

        // A linearizable read first: hashes are of what was applied so far.
        var all = await client.Kv.GetAsync(KeyRange.All);
        var newest = await client.Maintenance.HashKvAsync(server.Endpoint);

        // Not the compacted revision itself: whoever carried the compaction out remembers another hash for it, of what was there before.
        var (last, first) = (newest.Header.Revision, Math.Max(newest.CompactRevision, 1) + 1);
        for (var revision = first; revision <= last; revision += Math.Max(1, (last - first) / 5))
        {
            var hash = await client.Maintenance.HashKvAsync(server.Endpoint, revision);
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"hash at {revision}, compacted {hash.CompactRevision}: {hash.Hash}"));
        }

        lines.AddRange(all.Kvs.Select(static row => $"{row.Key.ToStringUtf8()} {row.CreateRevision} {row.ModRevision} {row.Version} {row.Lease} {Digest(row.Value)}"));
        foreach (var lease in (await client.Lease.ListAsync()).Leases.OrderBy(static lease => lease.ID))
        {
            var left = await client.Lease.TimeToLiveAsync(lease.ID, keys: true);
            lines.Add($"lease {lease.ID} of {left.GrantedTTL} s: {string.Join(' ', left.Keys.Select(static key => key.ToStringUtf8()).Order(StringComparer.Ordinal))}");
        }

        lines.AddRange((await client.Maintenance.AlarmsAsync()).Alarms.Select(static alarm => $"alarm {alarm}"));
        return lines;
    }

    /// <summary>Kills the server at some moment while clients write as fast as it lets them.</summary>
    /// <param name="server">Which.</param>
    /// <param name="round">Decides at which moment.</param>
    public static async Task KillUnderLoadAsync(Server server, int round)
    {
        await using var client = server.Connect();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var written = 0;
        var writers = Enumerable.Range(0, 8).Select(async writer =>
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    await client.Kv.PutAsync($"load/{writer}/{i % 50}", new string('x', (i * 37) % 2000));
                    if (Interlocked.Increment(ref written) == 300 + (round * 17 % 400))
                    {
                        enough.SetResult();
                    }
                }
            }
            catch (ClientException)
            {
                // The server is gone, as planned.
            }
        }).ToArray();
        await enough.Task;
        await server.KillAsync();
        await Task.WhenAll(writers);
    }

    private static Permission Granted(Permission.Types.Type type, string from, string to) =>
        new() { PermType = type, Key = ByteString.CopyFromUtf8(from), RangeEnd = ByteString.CopyFromUtf8(to) };

    private static string Digest(ByteString value) => Convert.ToHexString(SHA256.HashData(value.Span))[..16];
}
