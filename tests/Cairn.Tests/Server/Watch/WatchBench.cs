using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Proposals;
using Cairn.Server.Watch;
using Cairn.State;
using Cairn.Storage.Revisions;
using Cairn.Tests.Server.Simulated;
using Cairn.Simulation.Disks;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Server.Watch;

/// <summary>A watch hub on a real state machine, with every step in the hands of the test: applying, dispatching, pulling.</summary>
internal sealed class WatchBench
{
    private readonly RevisionLog _log;
    private ulong _index;

    public WatchBench(int requestBytesMax = 1536 * 1024)
    {
        var disk = new SimulatedDisk(1);
        disk.CreateDirectory("store");
        _log = RevisionLog.Begin(disk, "store", 1, new RevisionLogOptions());
        State = StateMachine.Create(_log, new StateOptions());
        Hub = new WatchHub(new WatchHistory(State), new HeaderSource(clusterId: 1, memberId: 2), 1, requestBytesMax, Time);
    }

    public SimulatedTime Time { get; } = new();

    public StateMachine State { get; }

    public WatchHub Hub { get; }

    /// <summary>Opens a stream.</summary>
    public WatchStream Open() => new(Hub, default);

    /// <summary>Puts a key; the dispatcher does not run yet.</summary>
    public long Put(string key, string value = "v") =>
        Apply(InternalRaftRequest.PutFieldNumber, new PutRequest { Key = NodeRequests.Bytes(key), Value = NodeRequests.Bytes(value) });

    /// <summary>Deletes a key; the dispatcher does not run yet.</summary>
    public long Delete(string key) =>
        Apply(InternalRaftRequest.DeleteRangeFieldNumber, new DeleteRangeRequest { Key = NodeRequests.Bytes(key) });

    /// <summary>Puts some keys in one transaction; the dispatcher does not run yet.</summary>
    public long PutTogether(params string[] keys)
    {
        var txn = new TxnRequest();
        txn.Success.AddRange(keys.Select(key => new RequestOp
        {
            RequestPut = new PutRequest { Key = NodeRequests.Bytes(key), Value = NodeRequests.Bytes("v") },
        }));
        return Apply(InternalRaftRequest.TxnFieldNumber, txn);
    }

    /// <summary>Compacts, and sweeps to the end.</summary>
    public void Compact(long revision)
    {
        Apply(InternalRaftRequest.CompactionFieldNumber, new CompactionRequest { Revision = revision });
        while (State.Sweep(1000))
        {
        }
    }

    /// <summary>Applies an entry, publishes, appends to the ring.</summary>
    public long Apply(int field, IMessage request)
    {
        _index++;
        var data = ProposalEncoding.Encode(field, request, new RequestHeader { ID = _index });
        var result = State.Apply(new CommittedEntry(1, _index, EntryKind.Normal, data));
        Assert.Equal(StoreError.None, result.Error);
        State.Publish();
        if (!result.Events.IsEmpty)
        {
            Hub.Append(new RevisionEvents(result.Events));
        }

        return result.Revision;
    }

    /// <summary>Fills the ring with changes of a key that nobody here watches, so that everything before falls off.</summary>
    public void OverflowRing()
    {
        for (var i = 0; i < WatchLimits.RingRevisionsCapacity + 1; i++)
        {
            Put("filler");
        }
    }
}

/// <summary>Short forms of what tests do with a stream.</summary>
internal static class WatchStreamRequests
{
    public static void Request(this WatchStream stream, WatchRequest request)
    {
        var taken = stream.RequestAsync(request, default).AsTask();
        Assert.True(taken.IsCompletedSuccessfully);
    }

    public static void Create(this WatchStream stream, WatchCreateRequest request) =>
        stream.Request(new WatchRequest { CreateRequest = request });

    public static void Create(this WatchStream stream, string key, string rangeEnd = "", long start = 0, bool previous = false) =>
        stream.Create(new WatchCreateRequest
        {
            Key = NodeRequests.Bytes(key),
            RangeEnd = NodeRequests.Bytes(rangeEnd),
            StartRevision = start,
            PrevKv = previous,
        });

    public static void Cancel(this WatchStream stream, long id) =>
        stream.Request(new WatchRequest { CancelRequest = new WatchCancelRequest { WatchId = id } });

    public static void AskForProgress(this WatchStream stream) =>
        stream.Request(new WatchRequest { ProgressRequest = new WatchProgressRequest() });

    /// <summary>Pulls everything there is.</summary>
    public static List<WatchResponse> Pull(this WatchStream stream)
    {
        var pulled = new List<WatchResponse>();
        while (stream.TryTake(out var delivery))
        {
            var buffer = new System.Buffers.ArrayBufferWriter<byte>();
            delivery.WriteTo(buffer);
            Assert.Equal(delivery.ByteCount, buffer.WrittenCount);
            var message = WatchResponse.Parser.ParseFrom(buffer.WrittenSpan);
            Assert.Equal(delivery.ToMessage(), message);
            Assert.Equal(buffer.WrittenSpan, message.ToByteArray());
            pulled.Add(message);
        }

        return pulled;
    }

    /// <summary>Pulls everything there is and keeps the events.</summary>
    public static List<string> PullEvents(this WatchStream stream) =>
        [.. stream.Pull().SelectMany(response => response.Events).Select(Describe)];

    public static string Describe(Event change) =>
        $"{(change.Type == Event.Types.EventType.Put ? "put" : "delete")} {change.Kv.Key.ToStringUtf8()}@{change.Kv.ModRevision}";
}
