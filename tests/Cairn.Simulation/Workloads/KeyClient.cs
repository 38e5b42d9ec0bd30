using Cairn.Protocol;
using Cairn.Simulation.Histories;
using Google.Protobuf;

namespace Cairn.Simulation.Workloads;

/// <summary>Reads and writes a handful of keys in all ways.</summary>
internal sealed class KeyClient(Workload workload, int number) : Client(workload, number)
{
    // Few keys, so that clients meet on them.
    private const int KeyCount = 6;

    private readonly Dictionary<string, long> _modRevisions = [];

    protected override Task WorkAsync() => Prng.Below(100) switch
    {
        < 35 => PutAsync(),
        < 60 => ReadAsync(),
        < 75 => CompareAndSetAsync(),
        < 82 => PutSeveralAsync(),
        < 90 => DeleteAsync(),
        < 97 => ReadHistoryAsync(),
        _ => CompactAsync(),
    };

    private static ByteString Bytes(string text) => ByteString.CopyFromUtf8(text);

    private string PickKey() => $"k{Prng.Below(KeyCount)}";

    private (string Key, string End) PickRange() => Prng.Below(3) switch
    {
        0 => ("k", "l"),
        1 => ("k1", "k4"),
        _ => (PickKey(), ""),
    };

    private async Task PutAsync()
    {
        var (key, value, wantsPrevious) = (PickKey(), NextValue(), Prng.Chance(1, 3));
        var operation = Begin($"put {key}");
        operation.Puts.Add((key, value));
        var request = new PutRequest { Key = Bytes(key), Value = Bytes(value), PrevKv = wantsPrevious };
        if (await CallAsync(operation, node => node.PutAsync(request, default)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Wrote = true;
            if (wantsPrevious)
            {
                operation.Readings.Add(new Reading(key, "", operation.Revision - 1, response.PrevKv is null ? [] : [response.PrevKv]));
            }
        }
    }

    private async Task ReadAsync()
    {
        var (key, end) = PickRange();
        var operation = Begin($"read {key} {end}", isLinearizable: Prng.Chance(4, 5));
        var request = new RangeRequest { Key = Bytes(key), RangeEnd = Bytes(end), Serializable = !operation.IsLinearizable || IsStale() };
        if (await CallAsync(operation, node => RangeAsync(node, request)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Readings.Add(new Reading(key, end, operation.Revision, response.Kvs));
            foreach (var row in response.Kvs)
            {
                _modRevisions[row.Key.ToStringUtf8()] = row.ModRevision;
            }
        }
    }

    private bool IsStale() => Workload.Plan.Plant == Plant.StaleRead && Prng.Chance(1, 10);

    private async Task CompareAndSetAsync()
    {
        var (key, other) = (PickKey(), PickKey());
        var expected = _modRevisions.GetValueOrDefault(key);
        var operation = Begin($"compare and set {key} at {expected}");
        operation.Puts.Add((key, NextValue()));
        var request = new TxnRequest
        {
            Compare = { new Compare { Key = Bytes(key), Target = Compare.Types.CompareTarget.Mod, ModRevision = expected } },
            Success = { Put(operation.Puts[0]) },
            Failure = { new RequestOp { RequestRange = new RangeRequest { Key = Bytes(key) } } },
        };
        if (key != other && Prng.Chance(1, 3))
        {
            operation.Deletes.Add((other, ""));
            request.Success.Add(new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes(other) } });
        }

        if (await CallAsync(operation, node => node.TxnAsync(request, default)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Wrote = response.Succeeded;
            operation.Comparison = (key, expected, response.Succeeded);
            _modRevisions[key] = response.Succeeded ? operation.Revision : 0;
            if (!response.Succeeded)
            {
                var rows = response.Responses[0].ResponseRange.Kvs;
                operation.Readings.Add(new Reading(key, "", operation.Revision, rows));
                _modRevisions[key] = rows.Count > 0 ? rows[0].ModRevision : 0;
            }
        }
    }

    private async Task PutSeveralAsync()
    {
        var first = Prng.Below(KeyCount - 2);
        var operation = Begin($"put several from k{first}");
        var request = new TxnRequest();
        for (var i = 0; i < 3; i++)
        {
            operation.Puts.Add(($"k{first + i}", NextValue()));
            request.Success.Add(Put(operation.Puts[i]));
        }

        if (await CallAsync(operation, node => node.TxnAsync(request, default)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Wrote = true;
        }
    }

    private async Task DeleteAsync()
    {
        var (key, end) = PickRange();
        var operation = Begin($"delete {key} {end}");
        operation.Deletes.Add((key, end));
        var request = new DeleteRangeRequest { Key = Bytes(key), RangeEnd = Bytes(end), PrevKv = true };
        if (await CallAsync(operation, node => node.DeleteRangeAsync(request, default)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Wrote = response.Deleted > 0;
            operation.Readings.Add(new Reading(key, end, operation.Wrote ? operation.Revision - 1 : operation.Revision, response.PrevKvs));
        }
    }

    private async Task ReadHistoryAsync()
    {
        var (key, end) = PickRange();
        var revision = Math.Max(Workload.Witness.Next - 1 - Prng.Below(60), Workload.Begin.Revision);
        var operation = Begin($"read {key} {end} at {revision}");
        var request = new RangeRequest { Key = Bytes(key), RangeEnd = Bytes(end), Revision = revision };
        if (await CallAsync(operation, node => RangeAsync(node, request)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Readings.Add(new Reading(key, end, revision, response.Kvs));
        }
        else if (LastError == Server.NodeError.Compacted)
        {
            operation.CompactedRevision = revision;
        }
    }

    private async Task CompactAsync()
    {
        // Not beyond what the witness has seen: it must miss nothing.
        var revision = Workload.Witness.Next - 1 - Prng.Below(30);
        if (revision > Workload.Begin.Revision)
        {
            History.Compactions.Add((revision, Now));
            var request = new CompactionRequest { Revision = revision, Physical = Prng.Chance(1, 2) };
            await CallAsync(null, node => node.CompactAsync(request, default));
        }
    }

    private static RequestOp Put((string Key, string Value) put) =>
        new() { RequestPut = new PutRequest { Key = Bytes(put.Key), Value = Bytes(put.Value) } };
}
