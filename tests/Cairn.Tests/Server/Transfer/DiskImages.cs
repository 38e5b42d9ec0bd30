using Cairn.Simulation.Disks;

namespace Cairn.Tests.Server.Transfer;

/// <summary>What the disks of three members held when they were stopped, so that many runs can begin there.</summary>
public sealed class DiskImages
{
    private readonly List<Dictionary<string, byte[]>> _disks = [];

    /// <summary>The member that is behind.</summary>
    public int Behind { get; set; }

    /// <summary>Hash of the state that this member has.</summary>
    public (uint Hash, long Revision, long Compacted) Old { get; set; }

    /// <summary>Hash of the state that the others have.</summary>
    public (uint Hash, long Revision, long Compacted) New { get; set; }

    /// <summary>Takes the images.</summary>
    public void Take(IEnumerable<SimulatedDisk> disks)
    {
        foreach (var disk in disks)
        {
            var files = new Dictionary<string, byte[]>();
            Collect(disk, "", files);
            _disks.Add(files);
        }
    }

    /// <summary>Puts everything where it was.</summary>
    public void Restore(IReadOnlyList<SimulatedDisk> disks)
    {
        for (var i = 0; i < disks.Count; i++)
        {
            foreach (var (path, content) in _disks[i])
            {
                disks[i].Put(path, content);
            }
        }
    }

    private static void Collect(SimulatedDisk disk, string directory, Dictionary<string, byte[]> files)
    {
        foreach (var name in disk.List(directory))
        {
            var path = directory.Length == 0 ? name : $"{directory}/{name}";
            if (disk.DirectoryExists(path))
            {
                Collect(disk, path, files);
            }
            else
            {
                files.Add(path, disk.ReadAll(path));
            }
        }
    }
}
