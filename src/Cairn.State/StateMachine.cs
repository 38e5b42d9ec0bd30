using Cairn.State.Auth;
using Cairn.State.Entries;
using Cairn.State.Lease;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.State.Transfer;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State;

/// <summary>Turns committed entries into key space, leases, permissions, members and events: the same entries give the same state on every member.</summary>
/// <remarks>
/// <para>
/// Owned by the apply loop, which calls all members but <see cref="View"/>. A round of it: <see cref="Apply"/> each entry that was committed, then
/// <see cref="Publish"/> once; between rounds, a <see cref="Sweep"/> step if a compaction is under way. Nothing here waits for the disk, with one
/// exception: a request that needs a previous value reads its row.
/// </para>
/// <para>
/// What readers see changes with <see cref="Publish"/> only. What a manifest must hold to make a moment durable is in <see cref="Capture"/>.
/// </para>
/// </remarks>
public sealed class StateMachine
{
    private readonly StateOptions _options;
    private StateParts _parts;
    private volatile ReadView _view;

    private StateMachine(StateParts parts, StateOptions options)
    {
        _options = options;
        _parts = parts;
        _view = MakeView();
    }

    /// <summary>The state of the last <see cref="Publish"/>. Any thread.</summary>
    public ReadView View => _view;

    /// <summary>The last applied entry.</summary>
    public AppliedPosition Applied => _parts.Applied;

    /// <summary>Revision of the store; what readers see may be older.</summary>
    public long Revision => _parts.Keys.Revision;

    /// <summary>Versions that compactions have dropped since the process began.</summary>
    public long DroppedVersions => _parts.Sweep.Dropped;

    /// <summary>Whether a compaction still has keys to sweep.</summary>
    public bool IsSweeping => _parts.Sweep.IsUnderWay;

    /// <summary>The last compaction whose sweep came to its end; -1 if none did.</summary>
    public long FinishedCompaction => _parts.Sweep.Finished;

    /// <summary>Starts a state machine on an empty log.</summary>
    /// <param name="log">A log without records.</param>
    /// <param name="options">What the members agree on.</param>
    /// <returns>The state of a fresh store: revision 1.</returns>
    public static StateMachine Create(RevisionLog log, StateOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new StateMachine(new StateParts(log, new KeyIndex(), new LeaseTable(options.LeaseTtlMinimum)), options);
    }

    /// <summary>Goes on from a capture. What the log entries after it changed is applied again by the caller.</summary>
    /// <param name="log">The log, opened at the ends of the capture.</param>
    /// <param name="smallState">Of the capture.</param>
    /// <param name="checkpoint">An index written not after the capture, all chunks added; null if there is none: then every row is read.</param>
    /// <param name="options">What the members agree on.</param>
    /// <returns>The state as it was captured.</returns>
    /// <exception cref="CorruptionException">The bytes are no small state, a row is damaged, or the index names a row that is nowhere.</exception>
    public static StateMachine Open(RevisionLog log, ReadOnlySpan<byte> smallState, IndexCheckpointReader? checkpoint, StateOptions options)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(options);
        return new StateMachine(StateLoader.Load(log, smallState, checkpoint, options), options);
    }

    /// <summary>Goes on from what verifies of a capture whose rows are damaged: an earlier state, if acknowledged changes stand behind the damage.</summary>
    /// <param name="log">The log, opened at the ends of the capture.</param>
    /// <param name="smallState">Of the capture.</param>
    /// <param name="checkpoint">As for <see cref="Open"/>.</param>
    /// <param name="options">What the members agree on.</param>
    /// <param name="givenUp">The last entry that is given up, if something is lost: it could not be applied to an earlier state as it was to the one that is gone.</param>
    /// <param name="loss">What is lost; null if nothing is.</param>
    /// <returns>The state. If something is lost, its revision is raised, and all below is compacted.</returns>
    /// <exception cref="CorruptionException">There is no state that could be gone back to.</exception>
    public static StateMachine Salvage(
        RevisionLog log, ReadOnlySpan<byte> smallState, IndexCheckpointReader? checkpoint, StateOptions options, AppliedPosition givenUp, out StateLoss? loss)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(options);
        (var parts, loss) = StateLoader.Salvage(log, smallState, checkpoint, options, givenUp);
        return new StateMachine(parts, options);
    }

    /// <summary>Applies the next committed entry.</summary>
    /// <param name="entry">Its index is the one after <see cref="Applied"/>.</param>
    /// <returns>What came of it.</returns>
    /// <exception cref="CorruptionException">
    /// The entry is none that this version understands: this member must stop. Or a row on disk is not what was written: then nothing has changed, and the
    /// entry may be applied again once the row is healed.
    /// </exception>
    public ApplyResult Apply(in CommittedEntry entry)
    {
        Invariant.Holds(entry.Index == _parts.Applied.Index + 1, $"entry {entry.Index} after {_parts.Applied.Index}");
        Invariant.Holds(entry.Term >= _parts.Applied.Term && !_parts.Keys.IsChanged);
        var start = _parts.Events.Count;
        var result = entry.Kind == EntryKind.ConfChange ? ApplyConfChange(entry)
            : entry.Data.IsEmpty ? Done(0, StoreError.None, start, null, null)
            : PutEntry.TryDecode(entry.Data.Span, out var put) ? ApplyPut(put, start)
            : ApplyRequest(entry, start);
        _parts.Applied = new AppliedPosition(entry.Index, entry.Term);
        Invariant.Holds(!_parts.Keys.IsChanged);
        return result;
    }

    /// <summary>Makes everything applied so far visible to readers.</summary>
    /// <returns>The events of all entries since the last call, in revision order; kept by nobody else.</returns>
    public ReadOnlyMemory<StateEvent> Publish()
    {
        _view = MakeView();
        return _parts.Events.Take();
    }

    /// <summary>Goes one step further with the compaction under way: drops versions that no reader may ask for any more from the index.</summary>
    /// <param name="budget">Keys to look at, or rows to hash; what a step may take is for the caller to know.</param>
    /// <returns>True if there is more to do.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    /// <remarks>Never changes what any request is answered, so members may be at different points. A hash that was computed on the way is shown at once.</remarks>
    public bool Sweep(int budget)
    {
        var isMore = _parts.Sweep.Step(budget);
        if (_parts.Sweep.Hashes != _view.CompactionHashes)
        {
            Invariant.Holds(_parts.Events.Count == 0);
            _view = MakeView();
        }

        return isMore;
    }

    /// <summary>Gives up hashing the compaction under way, because a row of it is damaged; members that ask for the hash are told that there is none.</summary>
    public void ForgoCompactionHash() => _parts.Sweep.ForgoHash();

    /// <summary>Says what a manifest must hold for this moment to be durable. Cheap but for many leases.</summary>
    /// <returns>The capture.</returns>
    public StateCapture Capture() => new()
    {
        Applied = _parts.Applied,
        Revision = _parts.Keys.Revision,
        CompactedRevision = _parts.Keys.CompactedRevision,
        FinishedCompaction = _parts.Sweep.Finished,
        SmallState = Persistence.SmallState.Encode(_parts),
        Log = _parts.Keys.Log.Capture(),
        Members = _parts.Members,
    };

    /// <summary>Goes over to a newer state that was received. Follow it with <see cref="Publish"/>; if it fails, nothing here may be used any more.</summary>
    /// <param name="delta">What the newer state has beyond this one, or beyond an older one of the same history.</param>
    /// <exception cref="CorruptionException">It is not what was received, or does not fit this state.</exception>
    public void Install(StateDelta delta)
    {
        ArgumentNullException.ThrowIfNull(delta);
        Invariant.Holds(delta.Applied.Index > _parts.Applied.Index && !_parts.Keys.IsChanged && _parts.Events.Count == 0);
        var parts = StateLoader.Install(_parts, delta, _options);
        Invariant.Holds(parts.Applied == delta.Applied && parts.Keys.Revision >= _parts.Keys.Revision);
        _parts = parts;
    }

    /// <summary>Takes over what a step of the cleaner moved. Follow it with <see cref="Publish"/> before the next capture is written.</summary>
    /// <param name="step">A step of the round under way.</param>
    public void CompleteCleaning(CleaningStep step) => MoveCollector.Run(_parts.Keys.Index, mover => _parts.Keys.Log.Complete(step, mover));

    /// <summary>After the disk failed: has the log save into new segments what only memory holds.</summary>
    public void SalvageLog()
    {
        // All deletions are kept: which of them a restart needs depends on a checkpoint that is not known here.
        var lookup = MoveCollector.LookupIn(() => _parts.Keys.Index.Root, keepTombstonesAfter: 0);
        MoveCollector.Run(_parts.Keys.Index, mover => _parts.Keys.Log.Salvage(lookup, mover));
    }

    /// <summary>Ends a damaged segment that is still appended to. Follow it with <see cref="Publish"/>: the view then has all of it.</summary>
    /// <param name="segment">Its number.</param>
    public void SealSegment(uint segment) => _parts.Keys.Log.Seal(segment);

    /// <summary>Gives records of a damaged segment a new place. Follow it with <see cref="Publish"/>, and with a new checkpoint before the next manifest.</summary>
    /// <param name="segment">Its number; sealed.</param>
    /// <param name="records">By ascending revision; the handle of each is its key.</param>
    /// <returns>Whether nothing that is needed is left there.</returns>
    public bool RewriteSegment(uint segment, IReadOnlyList<RescuedRecord> records)
    {
        var isDone = false;
        MoveCollector.Run(_parts.Keys.Index, mover => isDone = _parts.Keys.Log.Rewrite(segment, records, mover));
        return isDone;
    }

    /// <summary>Checks what must always hold; walks over everything.</summary>
    public void AssertInvariants()
    {
        _parts.AssertInvariants();
        Invariant.Holds(_view.Revision <= _parts.Keys.Revision);
    }

    private ApplyResult ApplyPut(in PutEntry put, int start)
    {
        var error = CheckPut(put);
        if (error != StoreError.None)
        {
            return Done(put.RequestId, error, start, null, null);
        }

        if (put.WantsPrevious || put.IgnoresValue || put.IgnoresLease)
        {
            error = _parts.Commands.Put(put.ToRequest(), out var response);
            return Done(put.RequestId, error, start, response, null);
        }

        if (put.Lease != 0 && !_parts.Leases.Contains(put.Lease))
        {
            return Done(put.RequestId, StoreError.LeaseNotFound, start, null, null);
        }

        _parts.Keys.Put(put.Key, put.Value, put.Lease);
        var revision = _parts.Keys.Commit();
        return new ApplyResult(put.RequestId, StoreError.None, revision, _parts.Events.Since(start), null, null, isPut: true);
    }

    private StoreError CheckPut(in PutEntry put)
    {
        if (_parts.Alarms.IsCorrupt || _parts.Alarms.IsSpaceExceeded)
        {
            return _parts.Alarms.IsCorrupt ? StoreError.Corrupt : StoreError.NoSpace;
        }

        return _parts.Auth.IsEnabled
            ? EntryPermissions.CheckPut(_parts.Auth, _parts.Leases, put.Identity, put.Key.ToArray(), put.Lease, put.WantsPrevious)
            : StoreError.None;
    }

    private ApplyResult ApplyConfChange(in CommittedEntry entry)
    {
        var change = MemberChange.Parse(entry.Data.Span)
            ?? throw new CorruptionException("wal", (long)entry.Index, "the entry of this index is no membership change that this version understands");
        var error = _parts.Members.Validate(change, LearnersMaxFor(change));
        if (error == StoreError.None)
        {
            _parts.Healing = _parts.Healing.With(change, _parts.Members);
            _parts.Members = _parts.Members.With(change);
        }

        return Done(change.RequestId, error, _parts.Events.Count, null, new MembersChanged(change, error));
    }

    /// <summary>What healing adds has its own limit, one at a time, and takes no place of those that users may add; nor do spare learners, as long as no member of etcd counts them.</summary>
    private int LearnersMaxFor(MemberChange change)
    {
        var healing = _parts.Healing.Current?.NewMember;
        if (change.MemberId == healing)
        {
            return int.MaxValue;
        }

        var members = _parts.Members.Members;
        var areCairn = _parts.Healing.IsCounting && members.All(static member => member.Incarnation != 0);
        return _options.LearnersMax
            + members.Count(member => member.IsLearner && (member.Id == healing || (member.IsStandby && areCairn)));
    }

    private ApplyResult ApplyRequest(in CommittedEntry entry, int start)
    {
        var request = EntryDecoder.Decode(entry.Data)
            ?? throw new CorruptionException("wal", (long)entry.Index, "the entry of this index is no request that this version understands");
        var id = request.ID != 0 ? request.ID : request.Header?.ID ?? 0;
        var identity = new AuthIdentity(request.Header?.Username ?? "", request.Header?.AuthRevision ?? 0);
        var outcome = RequestDispatch.Apply(_parts, _options, request, identity, entry.Index);
        return Done(id, outcome.Error, start, outcome.Response, outcome.Effect);
    }

    private ApplyResult Done(ulong requestId, StoreError error, int start, Google.Protobuf.IMessage? response, ApplyEffect? effect) =>
        new(requestId, error, _parts.Keys.Revision, _parts.Events.Since(start), error == StoreError.None ? response : null, effect, isPut: false);

    private ReadView MakeView() => new(_parts.Keys.View with { Root = _parts.Keys.Index.Seal() }, _parts.Leases, _parts.Applied)
    {
        Auth = _parts.Auth,
        Tokens = _parts.Tokens,
        Alarms = _parts.Alarms,
        Members = _parts.Members,
        Healing = _parts.Healing,
        LiveKeys = _parts.Keys.LiveKeys,
        CompactionHashes = _parts.Sweep.Hashes,
    };
}
