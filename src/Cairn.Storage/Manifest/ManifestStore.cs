using Cairn.Storage.Checkpoints;
using Cairn.Storage.Revisions;

namespace Cairn.Storage.Manifest;

/// <summary>The one commit point of the store: a state is durable when a manifest that describes it is.</summary>
/// <remarks>
/// <para>
/// MANIFEST-n is written under another name, synced, read back, renamed, and its directory synced. The two newest ones that verify are kept, with every file
/// that they name; the write-ahead log is kept from <see cref="ReplayFrom"/> on. So whatever happens to the newest, the one before and the log give the same state.
/// </para>
/// <para>
/// The first manifest of a directory is written before the first segment; so segments without any manifest are never taken for what a crash left behind.
/// </para>
/// <para>One caller at a time; the calls wait for the disk, so they belong on a loop that may. Owner: the loop that also flushes the revision log.</para>
/// </remarks>
public sealed class ManifestStore
{
    private const string TemporaryName = "MANIFEST.tmp";
    private const string BrokenExtension = ".broken";

    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly List<CorruptionException> _damage = [];
    private readonly List<string> _damagedNames = [];
    private readonly HashSet<string> _files = [];
    private ulong _nextNumber = 1;
    private ulong _nextCheckpoint = 1;

    private ManifestStore(IDisk disk, string directory)
    {
        _disk = disk;
        _directory = directory;
    }

    /// <summary>The state that the store is at; null for a fresh directory.</summary>
    public ManifestContents? Newest { get; private set; }

    /// <summary>The state before; null if there is none that verifies.</summary>
    public ManifestContents? Previous { get; private set; }

    /// <summary>Why manifests did not verify when the store was opened. They were put aside under names that end in ".broken".</summary>
    public IReadOnlyList<CorruptionException> Damage => _damage;

    /// <summary>Whether there was a manifest newer than <see cref="Newest"/> that did not verify, when the store was opened now or at a start that ended before it wrote another one.</summary>
    public bool HasLostNewest { get; private set; }

    /// <summary>The log must be kept after this index, and everything if it is 0: the newest manifest may turn out to be unreadable.</summary>
    public ulong ReplayFrom => Previous?.AppliedIndex ?? 0;

    /// <summary>Opens the store: finds the newest manifest that verifies and whose files are all there, or at least verifies, and removes what crashes left behind.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store; made if need be.</param>
    /// <returns>The store.</returns>
    /// <exception cref="CorruptionException">There are manifests, and none verifies; or there are segments, and no manifest. Nothing was changed.</exception>
    /// <exception cref="UnknownFormatException">A later version wrote them; nothing was changed.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static async ValueTask<ManifestStore> OpenAsync(IDisk disk, string directory)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentNullException.ThrowIfNull(directory);
        var store = new ManifestStore(disk, directory);
        await store.MakeDirectoryAsync();
        var names = disk.List(directory);
        store.FindNewest(names);
        store.ContinueNumbers(names);
        store.PutDamagedAside();
        store.RemoveGarbage(names);

        // What was found may have been renamed, but not synced, before the crash; from here on it is relied upon.
        await disk.SyncDirectoryAsync(directory);
        return store;
    }

    /// <summary>Gives a number for a checkpoint file that was not used before.</summary>
    /// <returns>The number, for <see cref="CheckpointWriter.Begin"/>.</returns>
    public ulong TakeCheckpointNumber() => _nextCheckpoint++;

    /// <summary>Makes a state durable, then removes the files that neither it nor the one before it names.</summary>
    /// <param name="contents">The state. The segments (<see cref="RevisionLog.SyncAsync"/>), the checkpoint and the log's entries in it must be durable.</param>
    /// <returns>Completes when durable; <see cref="Newest"/> is the state then.</returns>
    /// <exception cref="IOException">The disk failed; nothing changed, and the call may be repeated.</exception>
    public async ValueTask WriteAsync(ManifestContents contents)
    {
        ArgumentNullException.ThrowIfNull(contents);
        AssertFollows(contents);
        contents = contents with { Number = _nextNumber++ };

        // Should this attempt fail half-way, the next one that succeeds removes what it left.
        _files.Add(ManifestFormat.NameOf(contents.Number));
        _files.UnionWith(FilesOf(contents).Select(file => file.Name));
        var temporary = PathOf(TemporaryName);
        if (_disk.FileExists(temporary))
        {
            _disk.Delete(temporary);
        }

        var bytes = ManifestFormat.Encode(contents);
        using (var file = _disk.Open(temporary, OpenIntent.Create))
        {
            await file.WriteAsync(0, bytes);
            await file.SyncAsync();
        }

        Invariant.Holds(Read(TemporaryName, contents.Number).Equals(contents));
        _disk.Rename(temporary, PathOf(ManifestFormat.NameOf(contents.Number)));
        await _disk.SyncDirectoryAsync(_directory);
        Previous = Newest;
        Newest = contents;
        RemoveUnnamed();
    }

    /// <summary>
    /// Makes a state durable that takes the place of the one before, which is not to be gone back to: the old manifests, and all that only they name, move to
    /// another directory. The state may be older; the log has the rest. Written twice, so that again one of the two may turn out to be unreadable.
    /// </summary>
    /// <param name="contents">The state, as for <see cref="WriteAsync"/>.</param>
    /// <param name="aside">Where the old one goes; exists.</param>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The disk failed; the new state may be durable already.</exception>
    public async ValueTask ReplaceAsync(ManifestContents contents, string aside)
    {
        var old = NamedFiles();
        Newest = null;
        Previous = null;
        _files.Clear();
        await WriteAsync(contents);
        await WriteAsync(contents);
        old.ExceptWith(NamedFiles());
        foreach (var name in old.Where(name => _disk.FileExists(PathOf(name))))
        {
            _disk.Rename(PathOf(name), $"{aside}/{name}");
        }

        await _disk.SyncDirectoryAsync(aside);
        await _disk.SyncDirectoryAsync(_directory);
    }

    private void AssertFollows(ManifestContents contents)
    {
        Invariant.Holds(contents.Identity.Incarnation != 0);
        Invariant.Holds(contents.Segments.Segments.All(segment => segment.End > SegmentFormat.HeaderBytes && !segment.Revisions.IsEmpty));
        if (Newest is not null && Newest.Identity.ClusterId == contents.Identity.ClusterId)
        {
            Invariant.Holds(contents.AppliedIndex >= Newest.AppliedIndex && contents.CurrentRevision >= Newest.CurrentRevision);
        }
    }

    private async ValueTask MakeDirectoryAsync()
    {
        if (_disk.DirectoryExists(_directory))
        {
            return;
        }

        _disk.CreateDirectory(_directory);
        for (var path = _directory; path.Length > 0;)
        {
            path = path[..Math.Max(path.LastIndexOf('/'), 0)];
            await _disk.SyncDirectoryAsync(path);
        }
    }

    private void FindNewest(IReadOnlyList<string> names)
    {
        ManifestContents? sound = null;
        var numbers = names.Select(name => ManifestFormat.TryParse(name, out var number) ? number : 0).Where(number => number > 0);
        foreach (var number in numbers.OrderDescending().TakeWhile(_ => Previous is null))
        {
            ManifestContents? contents = null;
            try
            {
                contents = Read(ManifestFormat.NameOf(number), number);
                VerifyFiles(contents);
                (Newest, Previous) = Newest is null ? (contents, null) : (Newest, contents);
            }
            catch (CorruptionException damage)
            {
                _damage.Add(damage);
                _damagedNames.Add(ManifestFormat.NameOf(number));
                sound ??= contents;
            }
        }

        if (Newest is null && sound is not null)
        {
            // It says whose store this is; who opens the segments meets what is wrong with them, and gets another state or says what is lost.
            Newest = sound;
            _damagedNames.Remove(ManifestFormat.NameOf(sound.Number));
        }

        if (Newest is null && _damage.Count > 0)
        {
            throw _damage[0];
        }

        // The first manifest is older than the first segment. Rows that none names are not garbage but a store whose manifests are lost.
        if (Newest is null && names.FirstOrDefault(name => SegmentFormat.TryParse(name, out _)) is { } orphan)
        {
            throw new CorruptionException(PathOf(orphan), 0, "a segment, and no manifest in the directory");
        }
    }

    private ManifestContents Read(string name, ulong number)
    {
        using var file = _disk.Open(PathOf(name), OpenIntent.Read);
        var length = file.Length;
        if (length > Array.MaxLength)
        {
            throw new CorruptionException(file.Path, 0, $"{length} bytes are no manifest");
        }

        var bytes = new byte[length];
        var count = file.Read(0, bytes);
        return ManifestFormat.Decode(file.Path, number, bytes.AsMemory(0, count));
    }

    private void VerifyFiles(ManifestContents contents)
    {
        foreach (var (name, end) in FilesOf(contents))
        {
            var path = PathOf(name);
            if (!_disk.FileExists(path))
            {
                throw new CorruptionException(path, 0, $"the file that manifest {contents.Number} names is missing");
            }

            using var file = _disk.Open(path, OpenIntent.Read);
            if (file.Length < end)
            {
                throw new CorruptionException(path, file.Length, $"the file ends here, before {end}, where manifest {contents.Number} ends it");
            }
        }
    }

    private void ContinueNumbers(IReadOnlyList<string> names)
    {
        foreach (var name in names)
        {
            if (ManifestFormat.TryParse(name.Replace(BrokenExtension, "", StringComparison.Ordinal), out var manifest))
            {
                _nextNumber = Math.Max(_nextNumber, manifest + 1);
            }
            else if (CheckpointFormat.TryParse(name, out var checkpoint))
            {
                _nextCheckpoint = Math.Max(_nextCheckpoint, checkpoint + 1);
            }
        }

        HasLostNewest = Newest is not null && _nextNumber > Newest.Number + 1;
    }

    private void PutDamagedAside()
    {
        // A sound manifest whose files are not goes too: what is appended from here on must not make it look complete.
        foreach (var name in _damagedNames)
        {
            _disk.Rename(PathOf(name), PathOf(name) + BrokenExtension);
        }
    }

    // If a manifest is damaged, what it may have named stays for whoever looks into it. The next start without damage removes it.
    private void RemoveGarbage(IReadOnlyList<string> names)
    {
        _files.UnionWith(NamedFiles());
        if (_damage.Count > 0 || HasLostNewest)
        {
            return;
        }

        foreach (var name in names.Where(name => IsOurs(name) && !_files.Contains(name)))
        {
            _disk.Delete(PathOf(name));
        }
    }

    private static bool IsOurs(string name) =>
        name == TemporaryName || ManifestFormat.TryParse(name, out _) || SegmentFormat.TryParse(name, out _) || CheckpointFormat.TryParse(name, out _);

    private void RemoveUnnamed()
    {
        var named = NamedFiles();
        foreach (var name in _files.Where(name => !named.Contains(name)))
        {
            try
            {
                _disk.Delete(PathOf(name));
            }
            catch (IOException)
            {
                // The state is durable all the same; the next start deletes the file.
            }
        }

        _files.Clear();
        _files.UnionWith(named);
    }

    private HashSet<string> NamedFiles()
    {
        var named = new HashSet<string>();
        foreach (var contents in new[] { Newest, Previous }.OfType<ManifestContents>())
        {
            named.Add(ManifestFormat.NameOf(contents.Number));
            named.UnionWith(FilesOf(contents).Select(file => file.Name));
        }

        return named;
    }

    private static IEnumerable<(string Name, long End)> FilesOf(ManifestContents contents)
    {
        foreach (var segment in contents.Segments.Segments)
        {
            yield return (SegmentFormat.NameOf(segment.Id), segment.End);
        }

        if (contents.Checkpoint is { } checkpoint)
        {
            yield return (checkpoint.Name, checkpoint.Length);
        }
    }

    private string PathOf(string name) => $"{_directory}/{name}";
}
