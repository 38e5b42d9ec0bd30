using Cairn.Protocol;
using Cairn.State;
using Cairn.State.Persistence;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.State;

/// <summary>Random requests to three machines and a model: one that sweeps at once, one that hardly does, one that cleans, crashes and restarts.</summary>
public sealed class RandomHistoryTests
{
    private const int Steps = 500;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(100)]
    [InlineData(114)]
    [InlineData(116)]
    [InlineData(131)]
    public async Task Machines_and_model_agree(ulong seed)
    {
        var run = new Run(seed);
        for (var step = 0; step < Steps; step++)
        {
            await run.StepAsync();
        }

        run.CompareEverything();
    }

    private sealed class Run(ulong seed)
    {
        private readonly Prng _prng = new(seed);
        private readonly StoreModel _model = new();
        private readonly Machine _eager = new();
        private readonly Machine _lazy = new();
        private readonly Machine _restless = new(segmentBytes: 4096);
        private readonly List<byte[]> _log = [];
        private (StateCapture Capture, List<byte[]>? Checkpoint, long CheckpointRevision)? _durable;

        public async Task StepAsync()
        {
            var (request, apply) = Next();
            if (request is not null)
            {
                Apply(request, apply);
            }

            _eager.SweepAll();
            if (_prng.Chance(1, 20))
            {
                _lazy.State.Sweep(budget: 1);
            }

            await DisturbAsync();
            if (_prng.Chance(1, 4))
            {
                CompareRange();
            }

            if (_prng.Chance(1, 50))
            {
                CompareEverything();
            }
        }

        public void CompareEverything()
        {
            foreach (var machine in new[] { _eager, _lazy, _restless })
            {
                machine.State.AssertInvariants();
                Assert.Equal(_model.Revision, machine.View.Revision);
                Assert.Equal(_model.Now.Values, machine.All().Kvs);
                Assert.Equal(_model.Leases.Order(), machine.View.Leases.List().Select(lease => lease.Id));
                foreach (var lease in _model.Leases)
                {
                    Assert.Equal(_model.KeysOf(lease), machine.View.Leases.KeysOf(lease).Select(System.Text.Encoding.UTF8.GetString));
                }
            }

            var revision = _prng.Between(Math.Max(_model.Compacted, 1), _model.Revision);
            Assert.Equal(_eager.Hash(), _lazy.Hash());
            Assert.Equal(_eager.Hash(), _restless.Hash());
            if (revision > _model.Compacted)
            {
                Assert.Equal(_eager.Hash(revision), _lazy.Hash(revision));
                Assert.Equal(_eager.Hash(revision), _restless.Hash(revision));
            }
        }

        private void Apply(InternalRaftRequest request, Action apply)
        {
            var before = _model.Revision;
            request.Header = new RequestHeader { ID = (ulong)_log.Count + 1 };
            var data = request.ToByteArray();
            _log.Add(data);
            var results = new[] { _eager, _lazy, _restless }.Select(machine => machine.ApplyRaw(data)).ToArray();
            if (results[0].Error == StoreError.None)
            {
                apply();
                _model.Commit();
            }

            foreach (var result in results)
            {
                Assert.Equal(results[0].Error, result.Error);
                Assert.Equal(results[0].ToResponse(), result.ToResponse());
                Assert.Equal(_model.Revision, result.Revision);
                CheckEvents(before, result.Events);
            }
        }

        private void CheckEvents(long before, ReadOnlyMemory<StateEvent> events)
        {
            IEnumerable<string> expected = _model.Revision == before
                ? []
                : _model.At(before).Keys.Union(_model.Now.Keys)
                    .Where(key => _model.At(before).GetValueOrDefault(key) != _model.Now.GetValueOrDefault(key))
                    .Order(StringComparer.Ordinal);
            var heard = events.ToArray();
            Assert.Equal(expected, heard.Select(each => System.Text.Encoding.UTF8.GetString(each.Key.Span)).Distinct().Order(StringComparer.Ordinal));
            foreach (var last in heard.GroupBy(each => System.Text.Encoding.UTF8.GetString(each.Key.Span)).Select(group => group.Last()))
            {
                var now = _model.Now.GetValueOrDefault(System.Text.Encoding.UTF8.GetString(last.Key.Span));
                Assert.Equal(now is null, last.IsDeletion);
                var expectedKv = now ?? new KeyValue { Key = ByteString.CopyFrom(last.Key.Span), ModRevision = _model.Revision };
                Assert.Equal(expectedKv, KeyValue.Parser.ParseFrom(last.KeyValue.Span));
            }
        }

        private async Task DisturbAsync()
        {
            if (_prng.Chance(1, 3))
            {
                _restless.State.Sweep(_prng.Below(6) + 1);
                _restless.State.Publish();
            }

            if (_prng.Chance(1, 25))
            {
                var isNew = _durable is null || _prng.Chance(1, 2);
                var checkpoint = isNew ? (_prng.Chance(1, 6) && _durable is null ? null : _restless.WriteCheckpoint()) : _durable!.Value.Checkpoint;
                var revision = isNew ? (checkpoint is null ? 0 : _restless.View.Revision) : _durable!.Value.CheckpointRevision;
                _durable = (await _restless.CaptureAsync(), checkpoint, revision);
            }

            if (_durable is not null && _prng.Chance(1, 25))
            {
                await _restless.CleanAsync(_durable.Value.CheckpointRevision);
            }

            if (_durable is not null && _prng.Chance(1, 40))
            {
                await CrashAsync();
            }
        }

        private async Task CrashAsync()
        {
            var (capture, checkpoint, _) = _durable!.Value; // The caller looked.
            await _restless.ReopenAsync(capture, checkpoint);
            for (var index = (int)capture.Applied.Index; index < _log.Count; index++)
            {
                _restless.ApplyRaw(_log[index]);
            }

            // What was cleaned after the capture is now dead again in files that the capture names: nothing may be cleaned before a new one.
            _durable = (await _restless.CaptureAsync(), checkpoint, _durable.Value.CheckpointRevision);
        }

        private void CompareRange()
        {
            var revision = _prng.Chance(1, 2) ? 0 : _prng.Between(Math.Max(_model.Compacted, 1), _model.Revision);
            var (start, end) = (Key(), Key());
            var request = new RangeRequest { Key = Machine.Bytes(start), RangeEnd = Machine.Bytes(end), Revision = revision, Limit = _prng.Below(4) };
            var state = revision == 0 ? _model.Now : _model.At(revision);
            var rows = state.Where(pair => string.CompareOrdinal(pair.Key, start) >= 0 && string.CompareOrdinal(pair.Key, end) < 0)
                .Select(pair => pair.Value)
                .ToList();
            foreach (var machine in new[] { _eager, _lazy, _restless })
            {
                var response = machine.Range(request);
                Assert.Equal(rows.Take(request.Limit == 0 ? int.MaxValue : (int)request.Limit), response.Kvs);
                Assert.Equal(rows.Count, response.Count);
            }
        }

        private (InternalRaftRequest? Request, Action Apply) Next()
        {
            switch (_prng.Below(14))
            {
                case <= 5:
                    var put = Put();
                    return (new InternalRaftRequest { Put = put }, () => Apply(put));
                case 6 or 7:
                    var delete = Delete();
                    return (new InternalRaftRequest { DeleteRange = delete }, () => Apply(delete));
                case <= 10:
                    return NextTxn();
                case 11:
                    var id = Lease();
                    return (new InternalRaftRequest { LeaseGrant = new LeaseGrantRequest { ID = id, TTL = 60 } }, () => Assert.True(_model.Grant(id)));
                case 12:
                    var lease = Lease();
                    return (new InternalRaftRequest { LeaseRevoke = new LeaseRevokeRequest { ID = lease } }, () => Assert.True(_model.Revoke(lease)));
                default:
                    return NextCompaction();
            }
        }

        private (InternalRaftRequest? Request, Action Apply) NextTxn()
        {
            var txn = Txn();
            if (RequestValidation.Check(txn, operationsMax: 128) != StoreError.None || RequestValidation.IsReadOnly(txn))
            {
                return (null, () => { });
            }

            return (new InternalRaftRequest { Txn = txn }, () => Apply(txn));
        }

        private (InternalRaftRequest? Request, Action Apply) NextCompaction()
        {
            var revision = _prng.Between(Math.Max(_model.Compacted, 0), _model.Revision + 1);
            if (!_prng.Chance(1, 3))
            {
                return (null, () => { });
            }

            return (new InternalRaftRequest { Compaction = new CompactionRequest { Revision = revision } }, () => _model.Compacted = revision);
        }

        private void Apply(PutRequest put) => _model.Put(put.Key.ToStringUtf8(), put.Value.ToStringUtf8(), put.Lease);

        private void Apply(DeleteRangeRequest delete) => _model.Delete(key =>
            delete.RangeEnd.IsEmpty
                ? key == delete.Key.ToStringUtf8()
                : string.CompareOrdinal(key, delete.Key.ToStringUtf8()) >= 0 && string.CompareOrdinal(key, delete.RangeEnd.ToStringUtf8()) < 0);

        private void Apply(TxnRequest txn)
        {
            var compare = txn.Compare[0];
            var version = _model.Now.GetValueOrDefault(compare.Key.ToStringUtf8())?.Version ?? 0;
            foreach (var operation in version == compare.Version ? txn.Success : txn.Failure)
            {
                if (operation.RequestPut is { } put)
                {
                    Apply(put);
                }
                else if (operation.RequestDeleteRange is { } delete)
                {
                    Apply(delete);
                }
            }
        }

        private TxnRequest Txn()
        {
            var txn = new TxnRequest { Compare = { new Compare { Key = Machine.Bytes(Key()), Version = _prng.Below(3) } } };
            for (var i = _prng.Below(4); i > 0; i--)
            {
                (_prng.Chance(1, 2) ? txn.Success : txn.Failure).Add(Operation());
            }

            return txn;
        }

        private RequestOp Operation() => _prng.Below(4) switch
        {
            0 => new RequestOp { RequestDeleteRange = Delete() },
            1 => new RequestOp
            {
                RequestRange = new RangeRequest { Key = Machine.Bytes(Key()), Revision = _prng.Chance(1, 4) ? _prng.Below((int)_model.Revision + 2) : 0 },
            },
            _ => new RequestOp { RequestPut = Put() },
        };

        private PutRequest Put() => new()
        {
            Key = Machine.Bytes(Key()),
            Value = Machine.Bytes(new string('v', _prng.Below(40))),
            Lease = _prng.Chance(1, 3) ? Lease() : 0,
        };

        private DeleteRangeRequest Delete() => new() { Key = Machine.Bytes(Key()), RangeEnd = _prng.Chance(1, 2) ? ByteString.Empty : Machine.Bytes(Key()) };

        private string Key() => $"key-{_prng.Below(40):00}";

        private long Lease() => _prng.Below(4) - 5;
    }
}
