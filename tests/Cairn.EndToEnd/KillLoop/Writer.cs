using Cairn.Client;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>Writes keys that nobody else writes, one operation at a time, and remembers what was acknowledged. Owned by one task at a time.</summary>
internal sealed class Writer
{
    private const int Keys = 20;
    private const long LeaseSeconds = 3600;

    private readonly CairnClient _client;
    private readonly Prng _prng;
    private readonly int _number;
    private readonly Action _acknowledged;
    private Operation? _uncertain;
    private long _operations;

    /// <summary>Creates a writer.</summary>
    /// <param name="client">The store.</param>
    /// <param name="number">Which writer this is, from 0.</param>
    /// <param name="seed">Says what it does.</param>
    /// <param name="acknowledged">Called after each acknowledgement.</param>
    public Writer(CairnClient client, int number, ulong seed, Action acknowledged)
    {
        _client = client;
        _number = number;
        _prng = new Prng(seed + (ulong)number);
        _acknowledged = acknowledged;
    }

    /// <summary>What the writer knows to be in the store.</summary>
    public WriterState State { get; private set; } = WriterState.Empty;

    /// <summary>All changes that were acknowledged: at which revision which key got which value, null for none.</summary>
    public List<(long Revision, string Key, string? Value)> Acknowledged { get; } = [];

    /// <summary>The greatest revision that any answer showed.</summary>
    public long Revision { get; private set; } = 1;

    private string Prefix => $"w{_number}/";

    private long FirstLease => (_number + 1) * 1_000_000L;

    /// <summary>Writes until the server is gone.</summary>
    /// <param name="gone">Cancelled when the server is gone.</param>
    /// <returns>When it is.</returns>
    public async Task RunAsync(CancellationToken gone)
    {
        try
        {
            while (!gone.IsCancellationRequested)
            {
                var operation = Choose();
                _uncertain = operation;
                var revision = await DoAsync(operation, gone);
                _uncertain = null;
                Learn(operation, revision);
                _acknowledged();
            }
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // What was under way may have happened or not.
        }
        catch (ClientException e) when (e.Code is ClientErrorCode.Unavailable or ClientErrorCode.Internal or ClientErrorCode.Canceled or ClientErrorCode.DeadlineExceeded)
        {
            // The same; the connection broke before the end of the server was known here.
        }
    }

    /// <summary>Compares the store with what was acknowledged, and takes from it what of the last operation was uncertain.</summary>
    /// <param name="leases">All leases of the store.</param>
    /// <returns>What is wrong; empty if nothing is.</returns>
    public async Task<IReadOnlyList<string>> CheckAsync(IReadOnlyCollection<long> leases)
    {
        var found = await ReadAsync(leases);
        var differences = State.DifferencesTo(found);
        if (differences.Count > 0 && _uncertain is not null)
        {
            differences = State.After(_uncertain, 0).DifferencesTo(found) is { Count: 0 } none
                ? none
                : [$"neither with nor without {_uncertain}:", .. differences];
        }

        State = found;
        _uncertain = null;
        return differences;
    }

    private async Task<WriterState> ReadAsync(IReadOnlyCollection<long> leases)
    {
        var all = await _client.Kv.GetAsync(KeyRange.Prefix(Prefix));
        Revision = Math.Max(Revision, all.Header.Revision);
        var state = WriterState.Empty with { Leases = [.. leases.Where(lease => lease / 1_000_000 == _number + 1)] };
        foreach (var row in all.Kvs)
        {
            state = state with { Rows = state.Rows.Add(row.Key.ToStringUtf8(), new Row(row.Value.ToStringUtf8(), row.Lease, row.ModRevision)) };
        }

        return state;
    }

    private Operation Choose()
    {
        _operations++;
        var key = $"{Prefix}{_prng.Below(Keys)}";
        var value = $"{_number}-{_operations}";
        return _prng.Below(20) switch
        {
            < 11 => new Put(key, value, 0, null),
            < 14 => new Put(key, value, 0, State.Rows.TryGetValue(key, out var row) ? row.Revision : 0),
            < 16 => new Delete(key),
            < 17 => new Grant(FirstLease + _operations),
            < 19 when State.Leases.Count > 0 => new Put(key, value, State.Leases[_prng.Below(State.Leases.Count)], null),
            < 20 when State.Leases.Count > 2 => new Revoke(State.Leases[0]),
            _ => new Put(key, value, 0, null),
        };
    }

    private async Task<long> DoAsync(Operation operation, CancellationToken gone)
    {
        switch (operation)
        {
            case Put { OnlyIf: null } put:
                return (await _client.Kv.PutAsync(RequestOf(put), gone)).Header.Revision;
            case Put put:
                var txn = await _client.Kv.TxnAsync(Guarded(put), gone);
                return txn.Succeeded ? txn.Header.Revision : throw new InvalidOperationException($"{put.Key} is not at revision {put.OnlyIf}, which was acknowledged");
            case Delete delete:
                var deleted = await _client.Kv.DeleteAsync(delete.Key, gone);
                var expected = State.Rows.ContainsKey(delete.Key) ? 1 : 0;
                return deleted.Deleted == expected ? deleted.Header.Revision : throw new InvalidOperationException($"{delete.Key} was there {deleted.Deleted} times, not {expected}");
            case Grant grant:
                return (await _client.Lease.GrantAsync(LeaseSeconds, grant.Lease, gone)).Header.Revision;
            case Revoke revoke:
                return (await _client.Lease.RevokeAsync(revoke.Lease, gone)).Header.Revision;
            default:
                throw new InvalidOperationException($"{operation} is no operation");
        }
    }

    private void Learn(Operation operation, long revision)
    {
        if (revision < Revision)
        {
            throw new InvalidOperationException($"the revision went back from {Revision} to {revision}");
        }

        Revision = revision;
        Acknowledged.AddRange(operation switch
        {
            Put put => [(revision, put.Key, put.Value)],
            Delete delete when State.Rows.ContainsKey(delete.Key) => [(revision, delete.Key, null)],
            Revoke revoke => State.KeysOf(revoke.Lease).Select(key => (revision, key, (string?)null)),
            _ => Enumerable.Empty<(long, string, string?)>(),
        });
        State = State.After(operation, revision);
    }

    private static PutRequest RequestOf(Put put) =>
        new() { Key = ByteString.CopyFromUtf8(put.Key), Value = ByteString.CopyFromUtf8(put.Value), Lease = put.Lease };

    private static TxnRequest Guarded(Put put) => new()
    {
        Compare = { new Compare { Target = Compare.Types.CompareTarget.Mod, Key = ByteString.CopyFromUtf8(put.Key), ModRevision = put.OnlyIf ?? 0 } },
        Success = { new RequestOp { RequestPut = RequestOf(put) } },
    };
}
