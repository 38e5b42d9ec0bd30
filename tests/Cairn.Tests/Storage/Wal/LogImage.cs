using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Storage.Wal;
using Cairn.Simulation.Disks;

namespace Cairn.Tests.Storage.Wal;

/// <summary>The files of a log, taken off its disk, to be damaged in many ways.</summary>
internal sealed class LogImage
{
    private readonly List<(string Path, byte[] Bytes)> _files = [];

    private LogImage(LogModel acknowledged)
    {
        Acknowledged = acknowledged;
    }

    /// <summary>What the log says before its last batch.</summary>
    public LogModel Acknowledged { get; }

    /// <summary>What it says with it.</summary>
    public required LogModel Whole { get; init; }

    /// <summary>Where in the last segment the last batch begins.</summary>
    public required int Begin { get; init; }

    /// <summary>Where it ends.</summary>
    public required int End { get; init; }

    public IReadOnlyList<(string Path, byte[] Bytes)> Files => _files;

    public (string Path, byte[] Bytes) Last => _files[^1];

    /// <summary>Makes a log of Cairn's: some history, then one batch of several entries and sectors, whose sync did not return.</summary>
    public static async Task<LogImage> MakeAsync(ulong seed)
    {
        var disk = new SimulatedDisk(seed);
        var work = new LogWorkload(seed);
        var log = await WriteAheadLog.CreateAsync(disk, LogWorkload.Directory, LogWorkload.Metadata, LogWorkload.Options);
        LogImage image;
        do
        {
            await work.ContinueAsync(log, 20);
            var before = PathAndEnd(disk);
            var step = BigStep(work.Acknowledged, seed);
            await log.AppendAsync(step.Entries.AsMemory(), step.State, true);
            var after = PathAndEnd(disk);
            image = new LogImage(work.Acknowledged) { Whole = work.Acknowledged.After(step), Begin = before.End, End = after.End };
            image._files.AddRange(WalReader.ListSegments(disk, LogWorkload.Directory).Select(name => $"{LogWorkload.Directory}/{name}").Select(path => (path, disk.ReadAll(path))));
            await work.ResumeAsync(log, image.Whole, step.State, 0);
            if (before.Path == after.Path)
            {
                break;
            }
        }
        while (true);

        await log.DisposeAsync();
        return image;
    }

    /// <summary>Makes the first segment of a log as etcd writes it: batches without states where the state did not change, states alone that were not synced.</summary>
    public static byte[] MakeOfEtcd(out int lastWrite, out int end)
    {
        var encoder = new WalEncoder();
        encoder.Begin(0);
        encoder.AppendCrc();
        encoder.Append(WalRecordType.Metadata, WalPayload.EncodeMetadata(LogWorkload.Metadata));
        encoder.Append(WalRecordType.Snapshot, WalPayload.EncodeMark(default));
        for (ulong index = 1; index <= 12; index++)
        {
            encoder.Append(new Entry(2, index, EntryType.Normal, Enumerable.Repeat((byte)(index + 1), (int)(index * 17)).ToArray()));
            if (index % 3 == 0)
            {
                AppendState(encoder, new HardState(2, 1, index - 1));
                AppendState(encoder, new HardState(2, 1, index));
            }
        }

        lastWrite = encoder.Length;
        encoder.Append(new Entry(2, 13, EntryType.Normal, Enumerable.Repeat((byte)77, 1500).ToArray()));
        AppendState(encoder, new HardState(2, 1, 13));
        end = encoder.Length;
        var segment = new byte[8192];
        encoder.Batch.Span.CopyTo(segment);
        return segment;
    }

    /// <summary>Puts the files on a new disk.</summary>
    public SimulatedDisk ToDisk()
    {
        var disk = new SimulatedDisk(1);
        foreach (var (path, bytes) in _files)
        {
            disk.Put(path, bytes);
        }

        return disk;
    }

    private static void AppendState(WalEncoder encoder, HardState state)
    {
        var bytes = new byte[HardStateWire.Size(state)];
        HardStateWire.Write(state, bytes);
        encoder.Append(WalRecordType.State, bytes);
    }

    private static LogStep BigStep(LogModel model, ulong seed)
    {
        var prng = new Prng(seed ^ 0xBEEF);
        var entries = new Entry[4];
        for (var i = 0; i < entries.Length; i++)
        {
            var data = new byte[i == 1 ? 0 : 330 * (i + 1)];
            prng.Fill(data);
            data.AsSpan(data.Length / 2).Clear();
            entries[i] = new Entry(model.State.Term + 1, model.LastIndex + 1 + (ulong)i, EntryType.Normal, data);
        }

        return new LogStep([.. entries], model.State with { Term = model.State.Term + 1, Vote = 2 }, true, null, null);
    }

    private static (string Path, int End) PathAndEnd(SimulatedDisk disk)
    {
        var path = $"{LogWorkload.Directory}/{WalReader.ListSegments(disk, LogWorkload.Directory)[^1]}";
        return (path, SegmentScan.Find(path, disk.ReadAll(path), null).Offset);
    }
}
