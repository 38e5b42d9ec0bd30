using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.EndToEnd.Files;

/// <summary>A long mix of requests of all kinds by two users, authentication switched on; many of them are refused, as they should be.</summary>
internal sealed class MixedRequests
{
    // At a time: enough that a server's sync serves several.
    private const int Callers = 8;

    private readonly CairnClient _root;
    private readonly CairnClient _reader;
    private readonly Prng _prng;
    private readonly List<long> _leases = [];

    private MixedRequests(CairnClient root, CairnClient reader, ulong seed)
    {
        _root = root;
        _reader = reader;
        _prng = new Prng(seed);
    }

    /// <summary>Makes them.</summary>
    /// <param name="server">Where; its users are those of <see cref="StoreContents.PermitAsync"/>.</param>
    /// <param name="count">How many.</param>
    public static async Task RunAsync(Server server, int count)
    {
        await using (var anyone = server.Connect())
        {
            await anyone.Auth.EnableAsync();
        }

        await using var root = Connect(server, "root", "secret");
        await using var reader = Connect(server, "reader", "word");
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => new MixedRequests(root, reader, (ulong)caller).RunAsync(count / Callers)));
    }

    private async Task RunAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            try
            {
                await CallAsync(Below(4) == 0 ? _reader : _root);
            }
            catch (ClientException)
            {
                // Refusals are part of the mix: no permission, no such lease, compacted.
            }
        }
    }

    private int Below(int limit) => _prng.Below(limit);

    private static CairnClient Connect(Server server, string user, string password) =>
        new(new ClientOptions { Endpoints = [server.Endpoint], UserName = user, Password = password, Seed = 1 });

    private Task CallAsync(CairnClient client)
    {
        var (key, value, lease) = ($"key{Below(200)}", new string('v', Below(300)), _leases.Count > 0 ? _leases[Below(_leases.Count)] : 0);
        return Below(100) switch
        {
            < 40 => client.Kv.PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value), PrevKv = Below(2) == 0 }),
            < 50 => client.Kv.PutAsync(key, value, lease),
            < 55 => client.Kv.PutAsync(new PutRequest { Key = Bytes(key), IgnoreValue = true, Lease = lease }),
            < 60 => client.Kv.PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value), IgnoreLease = true }),
            < 68 => client.Kv.DeleteAsync(key),
            < 70 => client.Kv.DeleteAsync(KeyRange.Prefix($"key1{Below(10)}")),
            < 85 => client.Kv.TxnAsync(Transaction(key, value, lease, depth: 0)),
            < 90 => GrantAsync(client),
            < 92 => client.Lease.RevokeAsync(lease),
            < 93 => CompactAsync(client),
            _ => PermitAsync(),
        };
    }

    private TxnRequest Transaction(string key, string value, long lease, int depth)
    {
        var txn = new TxnRequest();
        txn.Compare.Add(new Compare { Key = Bytes(key), Target = Compare.Types.CompareTarget.Version, Result = Compare.Types.CompareResult.Greater, Version = Below(3) });
        txn.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = Bytes(key), Value = Bytes(value), Lease = Below(3) == 0 ? lease : 0 } });
        txn.Success.Add(new RequestOp { RequestRange = new RangeRequest { Key = Bytes("key"), RangeEnd = Bytes("kez"), Limit = 3 } });
        txn.Failure.Add(new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes($"{key}0"), RangeEnd = Bytes($"{key}9"), PrevKv = true } });
        if (depth < 2)
        {
            txn.Success.Add(new RequestOp { RequestTxn = Transaction($"{key}.{depth}", value, lease, depth + 1) });
            txn.Failure.Add(new RequestOp { RequestTxn = Transaction($"{key}-{depth}", value, lease, depth + 1) });
        }

        return txn;
    }

    private async Task GrantAsync(CairnClient client) => _leases.Add((await client.Lease.GrantAsync(1000 + Below(5000))).ID);

    private async Task CompactAsync(CairnClient client) =>
        await client.Kv.CompactAsync((await client.Kv.GetAsync(KeyRange.Prefix("none"))).Header.Revision - Below(100));

    private Task PermitAsync()
    {
        var (user, role, key) = ($"user{Below(5)}", $"role{Below(5)}", $"key{Below(20)}");
        return Below(10) switch
        {
            0 => _root.Auth.AddUserAsync(new AuthUserAddRequest { Name = user, Password = "word" }),
            1 => _root.Auth.DeleteUserAsync(user),
            2 or 3 => _root.Auth.AddRoleAsync(role),
            4 => _root.Auth.DeleteRoleAsync(role),
            5 => _root.Auth.GrantRoleAsync(user, role),
            6 => _root.Auth.RevokeRoleAsync(user, role),
            7 or 8 => _root.Auth.GrantPermissionAsync(
                role, new Permission { PermType = (Permission.Types.Type)Below(3), Key = Bytes(key), RangeEnd = Below(2) == 0 ? Bytes($"{key}~") : ByteString.Empty }),
            _ => _root.Auth.RevokePermissionAsync(role, KeyRange.Prefix(key)),
        };
    }

    private static ByteString Bytes(string text) => ByteString.CopyFromUtf8(text);
}
