using Cairn.Protocol;
using Cairn.State;
using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.Storage.Revisions;
using Cairn.Simulation.Disks;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.State;

/// <summary>A state machine on a disk in memory, and short ways to ask it for things.</summary>
internal sealed class Machine
{
    private const string Directory = "store";

    private readonly SimulatedDisk _disk = new(seed: 1);
    private readonly RevisionLogOptions _logOptions;
    private readonly StateOptions _options;

    public Machine(StateOptions? options = null, int segmentBytes = 1 << 20)
    {
        _options = options ?? new StateOptions();
        _logOptions = new RevisionLogOptions { SegmentBytes = segmentBytes, ChunkBytes = Math.Min(1 << 14, segmentBytes), TailBytes = 8 << 20 };
        _disk.CreateDirectory(Directory);
        Log = RevisionLog.Open(_disk, Directory, RevisionLogEnds.Empty, _logOptions);
        State = StateMachine.Create(Log, _options);
    }

    public RevisionLog Log { get; private set; }

    public StateMachine State { get; private set; }

    public ReadView View => State.View;

    /// <summary>Who asks, from now on.</summary>
    public string UserName { get; set; } = "";

    /// <summary>The auth revision that requests carry; null is the present one.</summary>
    public ulong? AuthRevision { get; set; }

    public static ByteString Bytes(string text) => ByteString.CopyFromUtf8(text);

    public ApplyResult Apply(InternalRaftRequest request)
    {
        request.Header = new RequestHeader { ID = State.Applied.Index + 1, Username = UserName };
        if (UserName.Length > 0)
        {
            request.Header.AuthRevision = AuthRevision ?? View.Auth.Revision;
        }

        return ApplyRaw(request.ToByteArray());
    }

    public ApplyResult ApplyRaw(byte[] data, EntryKind kind = EntryKind.Normal)
    {
        var result = State.Apply(new CommittedEntry(1, State.Applied.Index + 1, kind, data));
        State.Publish();
        return result;
    }

    public ApplyResult Put(string key, string value, long lease = 0) =>
        Apply(new InternalRaftRequest { Put = new PutRequest { Key = Bytes(key), Value = Bytes(value), Lease = lease } });

    public ApplyResult Delete(string key, string end = "") =>
        Apply(new InternalRaftRequest { DeleteRange = new DeleteRangeRequest { Key = Bytes(key), RangeEnd = Bytes(end) } });

    public ApplyResult Txn(TxnRequest request) => Apply(new InternalRaftRequest { Txn = request });

    public ApplyResult Compact(long revision) => Apply(new InternalRaftRequest { Compaction = new CompactionRequest { Revision = revision } });

    public ApplyResult Grant(long id, long ttl) => Apply(new InternalRaftRequest { LeaseGrant = new LeaseGrantRequest { ID = id, TTL = ttl } });

    public ApplyResult Revoke(long id) => Apply(new InternalRaftRequest { LeaseRevoke = new LeaseRevokeRequest { ID = id } });

    public ApplyResult Alarm(AlarmRequest.Types.AlarmAction action, AlarmType kind, ulong member = 1) =>
        Apply(new InternalRaftRequest { Alarm = new AlarmRequest { Action = action, Alarm = kind, MemberID = member } });

    public void SweepAll()
    {
        while (State.Sweep(budget: 3))
        {
        }

        State.Publish();
    }

    public RangeResponse Range(RangeRequest request)
    {
        Assert.Equal(StoreError.None, View.Range(request, out var result));
        return result.ToMessage();
    }

    public RangeResponse All(long revision = 0) => Range(new RangeRequest { Key = Bytes("\0"), RangeEnd = Bytes("\0"), Revision = revision });

    /// <summary>Keys and values as text: "a=1 b=2".</summary>
    public string Text(long revision = 0) => string.Join(' ', All(revision).Kvs.Select(kv => $"{kv.Key.ToStringUtf8()}={kv.Value.ToStringUtf8()}"));

    public KeySpaceHash Hash(long revision = 0)
    {
        Assert.Equal(StoreError.None, View.OpenHash(revision, out var cursor));
        while (cursor!.Step(budget: 5)) // OpenHash succeeded.
        {
        }

        return cursor.Result;
    }

    /// <summary>Writes the index of now as a checkpoint.</summary>
    public List<byte[]> WriteCheckpoint()
    {
        var chunks = new List<byte[]>();
        var writer = new IndexCheckpointWriter(View);
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        while (writer.TryWriteChunk(buffer, bytesTarget: 200))
        {
            chunks.Add(buffer.WrittenSpan.ToArray());
            buffer.ResetWrittenCount();
        }

        return chunks;
    }

    /// <summary>Captures, makes durable, and goes on as another process would, from the capture and, if given, a checkpoint.</summary>
    public async Task ReopenAsync(List<byte[]>? checkpoint) => await ReopenAsync(await CaptureAsync(), checkpoint);

    public async Task<StateCapture> CaptureAsync()
    {
        var capture = State.Capture();
        await Log.SyncAsync(capture.Log);
        Log.ManifestWritten(capture.Log);
        return capture;
    }

    public Task ReopenAsync(StateCapture capture, List<byte[]>? checkpoint)
    {
        IndexCheckpointReader? reader = null;
        foreach (var chunk in checkpoint ?? [])
        {
            reader ??= new IndexCheckpointReader();
            Assert.True(reader.TryAdd(chunk));
        }

        Log = RevisionLog.Open(_disk, Directory, capture.Log, _logOptions);
        State = StateMachine.Open(Log, capture.SmallState.Span, reader, _options);
        State.AssertInvariants();
        return Task.CompletedTask;
    }

    /// <summary>Cleans whatever has anything dead in it.</summary>
    public async Task<bool> CleanAsync(long checkpointRevision)
    {
        var round = Log.BeginCleaning(new CleaningPolicy { DeadPercentMin = 1 });
        if (round is null)
        {
            return false;
        }

        State.Publish();
        CleaningStep step;
        do
        {
            step = await round.StepAsync(View.CleanerLookup(checkpointRevision), bytesMax: 300);
            State.CompleteCleaning(step);
            State.Publish();
        }
        while (!step.IsLast);

        return true;
    }
}
