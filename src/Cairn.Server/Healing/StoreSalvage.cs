using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.Server.Upkeep;
using Cairn.State;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Server.Healing;

/// <summary>What a member that is alone does if its store is damaged where the index is made of it: there is no other copy, so it goes on with what verifies, and says what is lost.</summary>
/// <remarks>
/// <para>
/// A row that cannot be read may have been of any key, so what stands behind it is given up: the state of the last transaction before it is one that was there, and
/// nothing in it is made up. The log behind the state is given up too, since its entries would do other things to an earlier state than they did. What is given
/// up is kept in quarantine. Until a person disarms CORRUPT, nothing is written, as with a damaged log (<see cref="LogSalvage"/>).
/// </para>
/// <para>
/// One manifest is the commit point. It names an index of its own, so that the next start does not read the damaged rows again; the scrubber finds those, and
/// they are written anew as far as they can be read (<see cref="SegmentRepair"/>). Where the index is sound and a row below it is not, nothing of this happens:
/// the store opens, and requests that need the row fail.
/// </para>
/// </remarks>
/// <param name="world">What the member touches.</param>
/// <param name="manifests">The manifests; the newest is the state.</param>
/// <param name="memory">What the member remembers.</param>
/// <param name="stateOptions">What the members agree on.</param>
internal sealed class StoreSalvage(NodeWorld world, ManifestStore manifests, MemberMemory memory, StateOptions stateOptions)
{
    private const int CopiedAtOnce = 1 << 20;

    private readonly string _aside = $"{DataDirectory.Quarantine}/{Quarantine.FreeName(world.Disk, "store", world.Time.GetUtcNow())}";
    private readonly HashSet<uint> _copied = [];

    /// <summary>Whether the member has nobody to fetch its store from, and never had since the state was written.</summary>
    /// <param name="contents">What the log holds.</param>
    /// <returns>False if others may have what is lost here.</returns>
    public bool IsPossible(WalContents? contents) =>
        StoredState.MembersOf(Newest).Members is [var only] && only.Id == Newest.Identity.MemberId
        && GivenUp(contents).All(static entry => entry.Type == EntryType.Normal);

    /// <summary>Makes what verifies the state of the store.</summary>
    /// <param name="contents">What the log holds.</param>
    /// <returns>Completes when durable; log and state are to be opened anew.</returns>
    /// <exception cref="CorruptionException">There is no state that could be gone back to; nothing was changed that was not copied before.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public async Task RunAsync(WalContents? contents)
    {
        await MendAsync();
        Entry[] givenUp = [.. GivenUp(contents)];
        var end = givenUp is [.., var last] ? new AppliedPosition(last.Index, last.Term) : new AppliedPosition(Newest.AppliedIndex, Newest.AppliedTerm);
        var stored = StoredState.Salvage(world.Disk, DataDirectory.Store, Newest, world.RevisionLogOptions, stateOptions, end, out var loss);
        using (stored.Log)
        {
            if (loss is not null)
            {
                await KeepAsync(loss, givenUp);
                memory.Loss = memory.Loss.Length == 0 ? Describe(loss, givenUp) : $"{memory.Loss}; {Describe(loss, givenUp)}";
            }

            var checkpoint = await StateWriter.WriteCheckpointAsync(world.Disk, manifests, stored.State.View);
            memory.StoreDamage = "";
            await manifests.WriteAsync(Describe(stored.State.Capture(), loss) with { Checkpoint = checkpoint });
        }

        world.LoggerFactory.CreateLogger("cairn.server").StoreSalvaged(Newest.Identity.MemberId, loss is null ? "nothing is lost" : memory.Loss);
    }

    private ManifestContents Newest => manifests.Newest!; // A start has written one.

    private IEnumerable<Entry> GivenUp(WalContents? contents) => (contents?.Entries ?? []).Where(entry => entry.Index > Newest.AppliedIndex);

    private string Describe(StateLoss loss, Entry[] givenUp)
    {
        var entries = givenUp.Length == 0 ? "" : $", and the entries {givenUp[0].Index} to {givenUp[^1].Index} of the log";
        return $"{loss.Damage.Message}: what was written behind revision {loss.AfterRevision}, up to {loss.LastRevision}{entries}, is lost; its files are kept in {_aside}";
    }

    private ManifestContents Describe(StateCapture capture, StateLoss? loss) => Newest with
    {
        AppliedIndex = capture.Applied.Index,
        AppliedTerm = capture.Applied.Term,
        IsInstalled = loss is null && Newest.IsInstalled,
        CurrentRevision = capture.Revision,
        Compaction = new CompactionFloor(Math.Max(capture.CompactedRevision, 0), Math.Max(capture.FinishedCompaction, 0)),
        Segments = capture.Log,
        SmallState = capture.SmallState,
        MemberState = memory.Encode(),
    };

    /// <summary>Makes every segment one that can be opened, and keeps those as they were that had to be changed for it.</summary>
    private async Task MendAsync()
    {
        foreach (var segment in Newest.Segments.Segments.Where(segment => !SegmentMending.IsShaped(world.Disk, DataDirectory.Store, segment)))
        {
            await CopyAsync(segment);
            await SegmentMending.MendAsync(world.Disk, DataDirectory.Store, segment);
        }

        await world.Disk.SyncDirectoryAsync(DataDirectory.Store);
    }

    /// <summary>Keeps what is given up, as it lies there now: the cleaner has no use for it.</summary>
    private async Task KeepAsync(StateLoss loss, Entry[] givenUp)
    {
        foreach (var segment in Newest.Segments.Segments.Where(segment => segment.Revisions.LastMain > loss.AfterRevision))
        {
            await CopyAsync(segment);
        }

        if (givenUp.Length > 0)
        {
            foreach (var name in world.Disk.List(DataDirectory.Wal).Where(static name => name.EndsWith(".wal", StringComparison.Ordinal)))
            {
                await CopyAsync(DataDirectory.Wal, name);
            }
        }
    }

    private async Task CopyAsync(SegmentState segment)
    {
        if (_copied.Add(segment.Id) && world.Disk.FileExists($"{DataDirectory.Store}/{segment.FileName}"))
        {
            await CopyAsync(DataDirectory.Store, segment.FileName);
        }
    }

    private async Task CopyAsync(string directory, string name)
    {
        world.Disk.CreateDirectory(_aside);
        await world.Disk.SyncDirectoryAsync("");
        await world.Disk.SyncDirectoryAsync(DataDirectory.Quarantine);
        using var source = world.Disk.Open($"{directory}/{name}", OpenIntent.Read);
        using var target = world.Disk.Open($"{_aside}/{name}", OpenIntent.Create);
        var buffer = new byte[CopiedAtOnce];
        for (var (at, count) = (0L, source.Read(0, buffer)); count > 0; count = source.Read(at, buffer))
        {
            await target.WriteAsync(at, buffer.AsMemory(0, count));
            at += count;
        }

        await target.SyncAsync();
        await world.Disk.SyncDirectoryAsync(_aside);
    }
}
