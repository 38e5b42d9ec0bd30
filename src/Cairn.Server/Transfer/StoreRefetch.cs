using Cairn.Protocol.Transfer;
using Cairn.Server.Healing;
using Cairn.Server.Membership;
using Cairn.State;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Transfer;

/// <summary>What a start does if the store is damaged, or differs from those of most others: it fetches all of it from another member, under the same id.</summary>
/// <remarks>
/// What the member promised is in its log, which is sound; the state only says what was agreed, and that is the same everywhere. So the member goes on as itself:
/// the fetched state is one of committed entries, and the log is continued from there, or replayed from there if it has come further. What was here before goes
/// to quarantine. Until then nothing is served. Nothing changes before all of it has come and was opened; a crash on the way begins anew.
/// </remarks>
/// <param name="world">What the member touches.</param>
/// <param name="manifests">The manifests.</param>
/// <param name="memory">What the member remembers.</param>
/// <param name="stateOptions">What the members agree on.</param>
internal sealed class StoreRefetch(NodeWorld world, ManifestStore manifests, MemberMemory memory, StateOptions stateOptions)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RepeatEvery = TimeSpan.FromSeconds(60);

    private readonly ILogger _logger = world.LoggerFactory.CreateLogger("cairn.server");

    /// <summary>Whether there is anybody to fetch from.</summary>
    public bool IsPossible => world.Calls is not null && Sources().Length > 0;

    /// <summary>Fetches, and makes what came the state of the store.</summary>
    /// <param name="reason">What is wrong with the present one.</param>
    /// <param name="wal">The log.</param>
    /// <param name="contents">What it holds.</param>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>Completes when durable; log and state are to be opened anew.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task RunAsync(string reason, WriteAheadLog wal, WalContents? contents, CancellationToken cancelled)
    {
        var began = world.Time.GetTimestamp();
        _logger.StoreAside(Identity.MemberId, reason);
        world.Reception.Open(static (_, _) => new(Peers.PeerAnswer.None));
        Say($"the store is fetched again from other members, because {reason}");
        while (await TryAsync(wal, contents, cancelled) is { Length: > 0 } failure)
        {
            Say($"the store is fetched again from other members, because {reason}; {failure}");
            await Task.Delay(Pause, world.Time, cancelled);
        }

        world.Reception.StopWaiting();
        _logger.StoreFetched(Identity.MemberId, manifests.Newest!.AppliedIndex, world.Time.GetElapsedTime(began)); // It was just written.
    }

    private ManifestIdentity Identity => manifests.Newest!.Identity; // A start has written one.

    private void Say(string reason)
    {
        if (world.Reception.WaitFor(reason, world.Time, RepeatEvery))
        {
            _logger.StoreFetchWaits(reason);
        }
    }

    private string[] Sources()
    {
        var others = StoredState.MembersOf(manifests.Newest!).Members.Where(member => member.Id != Identity.MemberId).SelectMany(static member => member.PeerUrls);
        return [.. memory.StoreSources.Concat(others).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Asks one after the other.</summary>
    /// <returns>Why there is no new state; empty if there is.</returns>
    private async Task<string> TryAsync(WriteAheadLog wal, WalContents? contents, CancellationToken cancelled)
    {
        var failure = "nobody is known who could have it";
        foreach (var url in Sources())
        {
            var download = new StateDownload(world, view: null, _ => Task.FromResult(FindFreeId()));
            try
            {
                var caller = new PullCaller(world, Identity.ClusterId, Identity.MemberId, [url], cancelled);
                await PullAsync(download, caller);
                await TakeAsync(download, wal, contents);
                await caller.EndAsync(download.Session, StatePull.Types.Outcome.Installed);
                return "";
            }
            catch (Exception exception) when (exception is TransferException or CorruptionException)
            {
                failure = $"{url}: {exception.Message}";
                download.Abandon();
            }
        }

        return failure;
    }

    private static async Task PullAsync(StateDownload download, PullCaller caller)
    {
        while (!download.IsComplete)
        {
            var isFirst = download.Next == 0;
            var pull = new StatePull { Session = download.Session, Sequence = download.Next, Base = isFirst ? new StateBase() : null, IsWished = isFirst };
            await download.TakeAsync(await caller.AskAsync(pull));
        }
    }

    private uint FindFreeId() =>
        world.Disk.List(DataDirectory.Store).Select(static name => RevisionLog.TryIdentify(name, out var id) ? id : 0).Append(0u).Max() + 1;

    /// <summary>Opens what came, which verifies all of it, and writes the manifest that names it: the commit point.</summary>
    private async Task TakeAsync(StateDownload download, WriteAheadLog wal, WalContents? contents)
    {
        var (metadata, delta, _) = download.Received;
        if (delta.Applied.Index < wal.FirstIndex)
        {
            throw new TransferException($"the state is of index {delta.Applied.Index}, and the log here goes back to {wal.FirstIndex} only");
        }

        ManifestContents written;
        using (var log = RevisionLog.Open(world.Disk, DataDirectory.Store, delta.Segments, world.RevisionLogOptions))
        {
            var capture = StateMachine.Open(log, delta.SmallState.Span, checkpoint: null, stateOptions).Capture();
            memory.StoreDamage = "";
            memory.StoreSources = [];
            written = manifests.Newest! with // A start has written one.
            {
                AppliedIndex = capture.Applied.Index,
                AppliedTerm = capture.Applied.Term,
                IsInstalled = IsBeyond(wal, contents, capture.Applied),
                ConfState = metadata.ConfState,
                CurrentRevision = capture.Revision,
                Compaction = new CompactionFloor(Math.Max(capture.CompactedRevision, 0), Math.Max(capture.FinishedCompaction, 0)),
                Segments = capture.Log,
                Checkpoint = null,
                SmallState = capture.SmallState,
                MemberState = memory.Encode(),
            };
        }

        var aside = $"{DataDirectory.Quarantine}/{Quarantine.FreeName(world.Disk, "store", world.Time.GetUtcNow())}";
        world.Disk.CreateDirectory(aside);
        await world.Disk.SyncDirectoryAsync("");
        await world.Disk.SyncDirectoryAsync(DataDirectory.Quarantine);
        await manifests.ReplaceAsync(written, aside);
    }

    /// <summary>Whether the log does not lead to the state: it ends before, or what it has there was never agreed. Then it is continued from the state.</summary>
    private static bool IsBeyond(WriteAheadLog wal, WalContents? contents, AppliedPosition applied) =>
        wal.LastIndex < applied.Index
        || (contents?.Entries.FirstOrDefault(entry => entry.Index == applied.Index) is { Index: > 0 } own && own.Term != applied.Term);
}
