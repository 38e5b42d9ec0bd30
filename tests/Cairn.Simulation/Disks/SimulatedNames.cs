namespace Cairn.Simulation.Disks;

/// <summary>The directory tree: what processes see, what is on the platter, and the changes between the two. A directory is a name without an inode.</summary>
internal sealed class SimulatedNames
{
    private readonly List<Change> _dirty = [];
    private readonly SortedDictionary<string, SimulatedInode?> _platter = new(StringComparer.Ordinal);

    /// <summary>What processes see.</summary>
    public SortedDictionary<string, SimulatedInode?> Cache { get; private set; } = new(StringComparer.Ordinal);

    public void Set(string path, SimulatedInode? inode) => Do(new Change(path, inode, null));

    public void Remove(string path) => Do(new Change(path, null, ""));

    public void Rename(string from, string to) => Do(new Change(from, Cache[from], to));

    public void Sync(string directory)
    {
        foreach (var change in _dirty.Where(change => ParentOf(change.Touched) == directory))
        {
            change.ApplyTo(_platter);
        }

        _dirty.RemoveAll(change => ParentOf(change.Touched) == directory);
    }

    public void CutPower(CrashMode mode, Prng prng)
    {
        foreach (var change in _dirty)
        {
            if (mode == CrashMode.Keep || (mode != CrashMode.Lose && prng.Chance(1, 2)))
            {
                change.ApplyTo(_platter);
            }
        }

        _dirty.Clear();
        foreach (var lost in _platter.Keys.Where(path => ParentOf(path).Length > 0 && !_platter.ContainsKey(ParentOf(path))).ToList())
        {
            _platter.Remove(lost);
        }

        Cache = new SortedDictionary<string, SimulatedInode?>(_platter, StringComparer.Ordinal);
    }

    public void Clear()
    {
        _dirty.Clear();
        _platter.Clear();
        Cache.Clear();
    }

    public static string ParentOf(string path) => path[..Math.Max(path.LastIndexOf('/'), 0)];

    private void Do(Change change)
    {
        change.ApplyTo(Cache);
        _dirty.Add(change);
    }

    // With a target it is a rename, with an empty one a removal, without one a new name.
    private sealed record Change(string Path, SimulatedInode? Inode, string? Target)
    {
        public string Touched => string.IsNullOrEmpty(Target) ? Path : Target;

        public void ApplyTo(SortedDictionary<string, SimulatedInode?> names)
        {
            if (Target is null)
            {
                names[Path] = Inode;
                return;
            }

            names.Remove(Path);
            if (Target.Length == 0)
            {
                return;
            }

            names[Target] = Inode;
            foreach (var child in names.Keys.Where(name => name.StartsWith(Path + "/", StringComparison.Ordinal)).ToList())
            {
                names[Target + child[Path.Length..]] = names[child];
                names.Remove(child);
            }
        }
    }
}
