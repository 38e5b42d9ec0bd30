using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Revisions;

/// <summary>A small store at random work, beside a trivial model of it: what a revision holds, and where the index says it is.</summary>
/// <remarks>Everything follows from the seed, so a run that crashed at an operation of the disk can be repeated up to there.</remarks>
public sealed class StoreWorkload
{
    public const string Directory = "member/store";

    // Small, so that a short run fills segments, recycles buffers of the tail and cleans.
    public static readonly RevisionLogOptions Options = new() { SegmentBytes = 4096, ChunkBytes = 512, TailBytes = 4096 };

    private readonly SimulatedDisk _disk;
    private readonly Prng _prng;
    private SortedDictionary<Revision, Row> _rows = [];
    private CleaningRound? _cleaning;
    private ulong _applied;
    private long _main;
    private ulong _lastNumber;

    private StoreWorkload(SimulatedDisk disk, ulong seed, ManifestStore manifests, RevisionLog log)
    {
        _disk = disk;
        _prng = new Prng(seed);
        Manifests = manifests;
        Log = log;
    }

    public sealed record Row(RecordKind Kind, byte[] Payload, RecordPlace Place);

    /// <summary>What the store held when a manifest was captured.</summary>
    public sealed record Capture(ManifestContents Contents, SortedDictionary<Revision, Row> Rows);

    public ManifestStore Manifests { get; private set; }

    public RevisionLog Log { get; private set; }

    public IReadOnlyDictionary<Revision, Row> Rows => _rows;

    /// <summary>Every row that was ever appended, dead ones too.</summary>
    public Dictionary<Revision, Row> History { get; } = [];

    /// <summary>Captures that became manifests, or were about to, by number.</summary>
    public SortedDictionary<ulong, Capture> Captures { get; } = [];

    /// <summary>Number of the newest manifest whose write returned.</summary>
    public ulong DurableNumber { get; private set; }

    public int Cleaned { get; private set; }

    public static async Task<StoreWorkload> OpenAsync(SimulatedDisk disk, ulong seed)
    {
        var manifests = await ManifestStore.OpenAsync(disk, Directory);
        var log = RevisionLog.Open(disk, Directory, manifests.Newest?.Segments ?? RevisionLogEnds.Empty, Options);
        return new StoreWorkload(disk, seed, manifests, log);
    }

    /// <summary>Goes on from what another life of the same store made durable.</summary>
    public void Continue(StoreWorkload before)
    {
        var newest = Manifests.Newest;
        foreach (var (number, capture) in before.Captures.Where(capture => capture.Key <= newest?.Number))
        {
            Captures[number] = capture;
        }

        if (newest is not null)
        {
            _rows = new SortedDictionary<Revision, Row>(Captures[newest.Number].Rows);
            _applied = newest.AppliedIndex;
            _main = newest.CurrentRevision;
            DurableNumber = newest.Number;
            _lastNumber = newest.Number;
            foreach (var (revision, row) in before.History.Where(row => row.Key.Main <= _main))
            {
                History[revision] = row;
            }
        }
    }

    public async Task RunAsync(int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            await StepAsync();
        }
    }

    public async Task StepAsync()
    {
        if (Manifests.Newest is null)
        {
            await WriteManifestAsync(withCheckpoint: false);
        }

        switch (_prng.Below(20))
        {
            case < 9:
                AppendSome();
                break;
            case < 12:
                KillSome();
                break;
            case < 14:
                await Log.FlushAsync();
                break;
            case < 16:
                await WriteManifestAsync(withCheckpoint: _prng.Chance(1, 3));
                break;
            case < 17:
                await SyncBesideAppendsAsync();
                break;
            default:
                await CleanSomeAsync();
                break;
        }
    }

    public void AppendSome()
    {
        _applied++;
        for (var transactions = _prng.Between(1, 4); transactions > 0; transactions--)
        {
            _main++;
            var changes = (int)_prng.Between(1, 3);
            for (var sub = 0; sub < changes; sub++)
            {
                // Now and then one that is larger than a buffer, a read, or a segment.
                var length = _prng.Below(40) switch { 0 => 6000, 1 => 1500, var other => other * 8 };
                var payload = new byte[length];
                _prng.Fill(payload);
                Append(_prng.Chance(1, 5) ? RecordKind.Tombstone : RecordKind.Put, new Revision(_main, sub), payload);
            }
        }
    }

    public async Task WriteManifestAsync(bool withCheckpoint)
    {
        var capture = TakeCapture();
        await Log.SyncAsync(capture.Contents.Segments);
        if (withCheckpoint)
        {
            var file = await WriteCheckpointAsync(capture.Rows);
            capture = capture with { Contents = capture.Contents with { Checkpoint = file } };
        }

        var number = ++_lastNumber;
        capture = capture with { Contents = capture.Contents with { Number = number } };
        Captures.Add(number, capture);
        await Manifests.WriteAsync(capture.Contents);
        DurableNumber = number;
        Log.ManifestWritten(capture.Contents.Segments);
    }

    /// <summary>Opens what is on the disk and compares it with what was captured. Returns the next life.</summary>
    public async Task<StoreWorkload> ReopenAndCheckAsync(ulong seed)
    {
        var next = await OpenAsync(_disk, seed);
        var newest = next.Manifests.Newest;
        Assert.Empty(next.Manifests.Damage);
        Assert.True((newest?.Number ?? 0) >= DurableNumber, $"manifest {DurableNumber} was durable, found {newest?.Number}");
        if (newest is not null)
        {
            Assert.Equal(Captures[newest.Number].Contents, newest);
            var previous = newest.Number == DurableNumber ? Manifests.Previous?.Number : DurableNumber;
            Assert.True((next.Manifests.Previous?.Number ?? 0) >= (previous ?? 0));
            Assert.Equal(next.Manifests.Previous?.AppliedIndex ?? 0, next.Manifests.ReplayFrom);
            Captures[newest.Number] = await WithCheckpointAsync(Captures[newest.Number]);
        }

        next.Continue(this);
        next.Check();
        return next;
    }

    /// <summary>Compares everything that can be read with the model.</summary>
    public void Check()
    {
        Log.AssertInvariants();
        Assert.Equal(_rows.Values.Sum(row => (long)row.Payload.Length + RecordFormat.HeaderBytes), Log.LiveBytes);
        foreach (var row in _rows.Values)
        {
            Assert.Equal(row.Payload, Read(Log.View, row.Place));
        }

        CheckScan(new Revision(0, 0), _main);
        if (_main > 0)
        {
            var from = _prng.Between(1, _main);
            CheckScan(new Revision(from, _prng.Below(2)), _prng.Between(from, _main));
        }
    }

    public void CheckScan(Revision from, long throughMain)
    {
        var expected = new Queue<Revision>(_rows.Keys.Where(revision => revision >= from && revision.Main <= throughMain));
        var last = new Revision(0, 0);
        var reader = Log.View.ReadFrom(from, throughMain);
        while (reader.MoveNext())
        {
            Assert.True(reader.Revision > last && reader.Revision >= from && reader.Revision.Main <= throughMain);
            last = reader.Revision;
            var row = History[reader.Revision];
            Assert.Equal(row.Kind, reader.Kind);
            Assert.True(reader.Payload.SequenceEqual(row.Payload));
            Assert.Equal(row.Payload, Read(Log.View, reader.Place));
            if (expected.TryPeek(out var next) && next == reader.Revision)
            {
                expected.Dequeue();
            }
        }

        Assert.Empty(expected);
    }

    /// <summary>What the server does when a flush or a sync failed.</summary>
    public void Salvage() => Log.Salvage(Find, Move);

    public static byte[] Read(RevisionLogView view, RecordPlace place)
    {
        var payload = new byte[place.Length];
        Assert.Equal(place.Length, view.Read(place, payload));
        return payload;
    }

    public async Task CleanSomeAsync()
    {
        _cleaning ??= Log.BeginCleaning(new CleaningPolicy { DeadPercentMin = (int)_prng.Between(10, 60), VictimsMax = 4 });
        if (_cleaning is null)
        {
            return;
        }

        var step = await _cleaning.StepAsync(Find, (int)_prng.Between(1, 3000));
        if (_prng.Chance(1, 2))
        {
            // Between the copy and the move rows die and others come.
            KillSome();
            AppendSome();
        }

        Log.Complete(step, Move);
        if (step.IsLast)
        {
            _cleaning = null;
            Cleaned++;
        }
    }

    public void AbandonCleaning()
    {
        if (_cleaning is not null)
        {
            Log.AbandonCleaning();
            _cleaning = null;
        }
    }

    private Capture TakeCapture()
    {
        var small = new byte[_prng.Below(700)];
        _prng.Fill(small);
        var contents = new ManifestContents
        {
            Identity = new ManifestIdentity { ClusterId = 7, MemberId = 8, Incarnation = 9, StartCounter = _applied, Token = "token" },
            AppliedIndex = _applied,
            AppliedTerm = 3,
            ConfState = new ConfState { Voters = [8, 9], Learners = [10] },
            CurrentRevision = _main,
            Compaction = new CompactionFloor(Scheduled: _main / 2, Finished: _main / 3),
            Segments = Log.Capture(),
            SmallState = small,
            MemberState = small.AsMemory(small.Length / 2),
        };
        return new Capture(contents, new SortedDictionary<Revision, Row>(_rows));
    }

    private async Task<CheckpointFile> WriteCheckpointAsync(SortedDictionary<Revision, Row> rows)
    {
        using var writer = CheckpointWriter.Begin(_disk, Directory, Manifests.TakeCheckpointNumber());
        foreach (var (revision, row) in rows)
        {
            await writer.WriteAsync(BitConverter.GetBytes(revision.Main).Concat(BitConverter.GetBytes(row.Place.Offset)).ToArray());
        }

        return await writer.FinishAsync();
    }

    private async Task<Capture> WithCheckpointAsync(Capture capture)
    {
        if (capture.Contents.Checkpoint is { } checkpoint)
        {
            using var reader = CheckpointReader.Open(_disk, Directory, checkpoint);
            foreach (var (revision, row) in capture.Rows)
            {
                Assert.True(reader.TryReadNext(out var chunk));
                Assert.Equal((revision.Main, row.Place.Offset), (BitConverter.ToInt64(chunk.Span), BitConverter.ToUInt32(chunk.Span[8..])));
            }

            Assert.False(reader.TryReadNext(out _));
        }

        return await Task.FromResult(capture);
    }

    private async Task SyncBesideAppendsAsync()
    {
        var capture = Log.Capture();
        _disk.HoldSyncs = true;
        var sync = Log.SyncAsync(capture).AsTask();
        AppendSome();
        AppendSome();
        _disk.HoldSyncs = false;
        _disk.ReleaseSyncs();
        await sync;
    }

    private void Append(RecordKind kind, Revision revision, byte[] payload)
    {
        var place = Log.Append(kind, revision, payload);
        _rows[revision] = History[revision] = new Row(kind, payload, place);
    }

    private void KillSome()
    {
        var victims = _rows.Keys.Where(_ => _prng.Chance(1, 4)).ToList();
        foreach (var revision in victims)
        {
            Log.MarkDead(_rows[revision].Place);
            _rows.Remove(revision);
        }
    }

    private object? Find(RecordKind kind, Revision revision, RecordPlace place, ReadOnlySpan<byte> payload)
    {
        Assert.Equal(History[revision].Kind, kind);
        Assert.True(payload.SequenceEqual(History[revision].Payload));
        return _rows.TryGetValue(revision, out var row) && row.Place == place ? row : null;
    }

    private bool Move(in RecordMove move)
    {
        if (!_rows.TryGetValue(move.Revision, out var row) || row != (Row)move.Handle)
        {
            return false;
        }

        _rows[move.Revision] = row with { Place = move.To };
        return true;
    }
}
