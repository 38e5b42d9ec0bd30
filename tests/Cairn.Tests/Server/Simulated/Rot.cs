using System.Text;
using Cairn.Simulation.Disks;
using Cairn.Storage.Revisions;

namespace Cairn.Tests.Server.Simulated;

/// <summary>Changes bytes of a member's files behind its back.</summary>
internal static class Rot
{
    /// <summary>Flips bits in the records of segments, at places that the seed decides.</summary>
    public static void FlipRecords(SimulatedDisk disk, ulong seed, int flips)
    {
        var prng = new Prng(seed);
        var segments = Segments(disk);
        for (var i = 0; i < flips; i++)
        {
            var path = segments[prng.Below(segments.Length)];
            disk.FlipBit(path, 8 * prng.Between(SegmentFormat.HeaderBytes, disk.ReadAll(path).Length));
        }
    }

    /// <summary>Flips a bit in the first file of a directory that holds a text.</summary>
    /// <returns>Whether there is one.</returns>
    public static bool FlipText(SimulatedDisk disk, string directory, string text)
    {
        foreach (var path in disk.List(directory).Select(name => $"{directory}/{name}"))
        {
            var at = disk.ReadAll(path).AsSpan().IndexOf(Encoding.UTF8.GetBytes(text));
            if (at >= 0)
            {
                disk.FlipBit(path, 8 * at);
                return true;
            }
        }

        return false;
    }

    /// <summary>Writes another value for a key, with a checksum that is right: as if something else than the disk had gone wrong.</summary>
    /// <returns>How many records were changed.</returns>
    public static int Falsify(SimulatedDisk disk, string key)
    {
        var changed = 0;
        foreach (var path in Segments(disk))
        {
            RevisionLog.TryIdentify(path, out var segment);
            var bytes = disk.ReadAll(path);
            for (var at = SegmentFormat.HeaderBytes; at + RecordFormat.HeaderBytes <= bytes.Length;)
            {
                var header = bytes.AsSpan(at, RecordFormat.HeaderBytes);
                var payload = bytes.AsSpan(at + RecordFormat.HeaderBytes, RecordFormat.LengthOf(header));
                if (payload.IndexOf(Encoding.UTF8.GetBytes(key)) >= 0)
                {
                    payload[^10] ^= 1;
                    var place = new RecordPlace(segment, (uint)at, payload.Length);
                    RecordFormat.Write(header, place, RecordFormat.KindOf(header), RecordFormat.RevisionOf(header), payload);
                    disk.Damage(path, at, bytes.AsSpan(at, RecordFormat.HeaderBytes + payload.Length));
                    changed++;
                }

                at += RecordFormat.HeaderBytes + payload.Length;
            }
        }

        return changed;
    }

    private static string[] Segments(SimulatedDisk disk) =>
        [.. disk.List("member/store").Where(static name => name.EndsWith(".segment", StringComparison.Ordinal)).Select(static name => $"member/store/{name}")];
}
