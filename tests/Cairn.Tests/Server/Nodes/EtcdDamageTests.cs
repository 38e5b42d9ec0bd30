using System.Buffers.Binary;
using System.Globalization;
using Cairn.Simulation.Disks;
using Cairn.State;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Revisions;
using Xunit;

namespace Cairn.Tests.Server.Nodes;

/// <summary>
/// Damages the files of an etcd member, log, snapshot and backend, and opens them. Faults: one flipped bit; one byte replaced; a sector zeroed or filled with
/// noise; the file cut; a block copied over another; a number replaced by an extreme one.
/// </summary>
public sealed class EtcdDamageTests
{
    private const int SectorBytes = 512;

    // What opening such small files may allocate, whatever sizes they claim.
    private const long AllocatedBytesMax = 64 << 20;

    private static readonly ulong[] ExtremeNumbers =
        [0, 1, 2, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF];

    // CAIRN_MUTATIONS=6000 is the long form.
    private static readonly int Mutations = int.Parse(Environment.GetEnvironmentVariable("CAIRN_MUTATIONS") ?? "900", CultureInfo.InvariantCulture);

    private enum Fault
    {
        FlippedBit,
        ReplacedByte,
        ExtremeNumber,
        ZeroedSector,
        NoisySector,
        Cut,
        CopiedBlock,
    }

    [Fact]
    public async Task Every_damage_ends_in_a_message_with_a_file_or_in_the_right_answer()
    {
        // A directory with all three kinds of files: the log begins at the snapshot.
        var files = await EtcdMember.Make().PurgeAsync();
        var paths = files.Keys.Order(StringComparer.Ordinal).ToArray();
        var (whole, _) = await OpenAsync(files);
        Assert.StartsWith("revision ", whole, StringComparison.Ordinal);
        for (var seed = 1UL; seed <= (ulong)Mutations; seed++)
        {
            var prng = new Prng(seed);
            var path = paths[(int)(seed % (ulong)paths.Length)];
            var fault = (Fault)prng.Below(7);
            var damaged = new Dictionary<string, byte[]>(files) { [path] = Damage((byte[])files[path].Clone(), fault, prng) };

            var (outcome, allocated) = await OpenAsync(damaged);

            // Nothing in a bbolt file tells one value from another: a few changed bytes that leave its structure sound cannot be seen by anyone.
            var isInvisible = path.EndsWith("/db", StringComparison.Ordinal) && fault is Fault.FlippedBit or Fault.ReplacedByte or Fault.ExtremeNumber;
            var isRefusal = outcome.StartsWith("member/", StringComparison.Ordinal);
            Assert.True(isRefusal || isInvisible || outcome == whole, $"seed {seed}, {fault} in {path}: {outcome}, expected {whole}");
            Assert.True(allocated < AllocatedBytesMax, $"seed {seed}, {fault} in {path}: {allocated} bytes");
        }
    }

    private static byte[] Damage(byte[] bytes, Fault fault, Prng prng)
    {
        var length = bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        var at = prng.Below(length);
        var sector = at / SectorBytes * SectorBytes;
        var rest = bytes.AsSpan(sector, Math.Min(SectorBytes, bytes.Length - sector));
        switch (fault)
        {
            case Fault.FlippedBit:
                bytes[at] ^= (byte)(1 << prng.Below(8));
                return bytes;
            case Fault.ReplacedByte:
                bytes[at] = (byte)prng.Below(256);
                return bytes;
            case Fault.ExtremeNumber:
                at = Math.Min(at & ~7, Math.Max(bytes.Length - sizeof(ulong), 0));
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), ExtremeNumbers[prng.Below(ExtremeNumbers.Length)]);
                return bytes;
            case Fault.ZeroedSector:
                rest.Clear();
                return bytes;
            case Fault.NoisySector:
                for (var i = 0; i < rest.Length; i++)
                {
                    rest[i] = (byte)prng.Below(256);
                }

                return bytes;
            case Fault.Cut:
                return bytes[..at];
            default:
                var from = prng.Below(length) / SectorBytes * SectorBytes;
                var block = bytes.AsSpan(from, Math.Min(rest.Length, bytes.Length - from)).ToArray();
                block.CopyTo(rest);
                return bytes;
        }
    }

    /// <summary>Opens files as a member that starts on them does.</summary>
    /// <returns>What is in them, or why not; and how much memory it took.</returns>
    private static async Task<(string Outcome, long AllocatedBytes)> OpenAsync(IReadOnlyDictionary<string, byte[]> files)
    {
        var disk = new SimulatedDisk(seed: 1);
        foreach (var (path, bytes) in files)
        {
            disk.CreateDirectory(path[..path.LastIndexOf('/')]);
            using var file = disk.Open(path, OpenIntent.Create);
            file.Write(0, bytes);
            await file.SyncAsync();
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        string outcome;
        try
        {
            outcome = Read(disk);
        }
        catch (CorruptionException damage)
        {
            outcome = damage.Message;
        }

        return (outcome, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static string Read(SimulatedDisk disk)
    {
        using var directory = EtcdDirectory.Open(disk, learnersMax: 1);
        disk.CreateDirectory("store");
        using var log = RevisionLog.Open(disk, "store", RevisionLogEnds.Empty, new RevisionLogOptions { SegmentBytes = 1 << 20, ChunkBytes = 4096, TailBytes = 64 * 1024 });
        for (var row = directory.OpenRows(); row.MoveNext();)
        {
            log.Append(row.Kind, row.Revision, row.Payload);
        }

        var state = StateMachine.Open(log, directory.State.ToSmallState(), null, new StateOptions { LeaseTtlMinimum = 1, LearnersMax = 1 });
        state.AssertInvariants();
        Assert.Equal(StoreError.None, state.View.OpenHash(0, out var hash));
        while (hash!.Step(int.MaxValue))
        {
        }

        var members = string.Join(' ', directory.State.Members.Members.Select(static member => $"{member.Id:x} {string.Join(',', member.PeerUrls)}"));
        return $"revision {state.View.Revision}, hash {hash.Result.Hash}, {state.View.LiveKeys} keys, {state.View.Leases.Count} leases, index {state.Applied.Index}, members {members}";
    }
}
