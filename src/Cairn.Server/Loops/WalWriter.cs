using Cairn.Raft;
using Cairn.Storage.Wal;

namespace Cairn.Server.Loops;

/// <summary>Makes the log durable: one batch on its way to the disk, and one that gathers everything that arrives meanwhile.</summary>
/// <remarks>
/// Owned by the raft loop, which never waits for it: the end of a batch comes back as a completion. What a batch promises (its responses) is given out only
/// after its sync. A batch that could not be written is not forgotten: the log abandons the file that failed, and the batch is tried again, on a new one, at
/// <see cref="Retry"/>; until then nothing is promised.
/// </remarks>
internal sealed class WalWriter
{
    private readonly WriteAheadLog _wal;
    private readonly MemoryLog _log;
    private readonly Inbox<RaftCompletion> _completions;
    private readonly Metrics.ServerMetrics _metrics;
    private readonly NodeFacts _facts;
    private readonly TimeProvider _time;
    private readonly Func<Snapshot, Task> _install;
    private WalBatch _gathering;
    private WalBatch _spare;
    private WalBatch? _batch;
    private bool _isWriting;
    private long _writingSince;
    private ulong _releaseUpTo;
    private ulong _released;

    /// <summary>Creates a writer with nothing to write.</summary>
    /// <param name="parts">The log on disk and as the core reads it; what measures syncs.</param>
    /// <param name="completions">Where the end of a batch is reported.</param>
    /// <param name="install">Makes the state of a snapshot durable and goes over to it; asked again after an <see cref="IOException"/>.</param>
    public WalWriter(RaftLoopParts parts, Inbox<RaftCompletion> completions, Func<Snapshot, Task> install)
    {
        _install = install;
        _wal = parts.Wal;
        _log = parts.Log;
        _completions = completions;
        _metrics = parts.Metrics;
        _facts = parts.Facts;
        _time = parts.Time;
        _gathering = new WalBatch(_log.HardState);
        _spare = new WalBatch(_log.HardState);
    }

    /// <summary>Why the last attempt failed; null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Whether an attempt is under way.</summary>
    public bool IsWriting => _isWriting;

    /// <summary>The snapshot that the last batch began with, if it did.</summary>
    public Snapshot? Installed { get; private set; }

    /// <summary>How long the last batch took to become durable.</summary>
    public TimeSpan LastTook { get; private set; }

    /// <summary>Adds what the core wants durable to the batch that gathers.</summary>
    /// <param name="append">A message to <see cref="LocalTarget.AppendThread"/>.</param>
    public void Add(Message append) => _gathering.Add(append);

    /// <summary>Lets go of the log's files below an index, at the next pause between batches.</summary>
    /// <param name="index">No entry up to here is needed.</param>
    public void Release(ulong index) => _releaseUpTo = Math.Max(_releaseUpTo, index);

    /// <summary>Sends what has gathered on its way, unless a batch is, or has failed.</summary>
    public void Start()
    {
        if (_batch is not null || (_gathering.IsEmpty && _releaseUpTo <= _released))
        {
            return;
        }

        _batch = _gathering;
        _gathering = _spare;
        _gathering.Restart(_batch.State);
        Write(_batch);
    }

    /// <summary>Tries a batch again that failed.</summary>
    public void Retry()
    {
        if (_batch is not null && !_isWriting)
        {
            Write(_batch);
        }
    }

    /// <summary>Takes the end of the attempt under way: if it succeeded, the core may rely on it from now on.</summary>
    /// <param name="failure">Why it was not written; null if it is durable.</param>
    /// <param name="responses">Receives what to deliver, in order.</param>
    public void Finish(Exception? failure, List<Message> responses)
    {
        Invariant.Holds(_batch is not null && _isWriting);
        _isWriting = false;
        _facts.WritingSince = 0;
        Failure = failure;
        if (failure is not null)
        {
            return;
        }

        LastTook = _time.GetElapsedTime(_writingSince);
        _metrics.WrittenLogBytes = _wal.WrittenBytes;
        if (_batch.MustSync)
        {
            _metrics.WalSync.Observe(LastTook.TotalSeconds);
            _facts.Syncs.Add(LastTook);
        }

        Installed = _batch.Snapshot;
        Invariant.Holds(Installed is null || _log.TryApplySnapshot(Installed));
        _log.Append(_batch.Entries.Span);
        _log.SetHardState(_batch.State);
        responses.AddRange(_batch.Responses);
        _spare = _batch;
        _batch = null;
    }

    private void Write(WalBatch batch)
    {
        _isWriting = true;
        _writingSince = _time.GetTimestamp();
        _facts.WritingSince = batch.Snapshot is null ? _writingSince : 0;
        _ = WriteAsync(batch);
    }

    private async Task WriteAsync(WalBatch batch)
    {
        Exception? failure = null;
        try
        {
            if (batch.Snapshot is { } snapshot)
            {
                // The state first: without it the mark would stand for nothing. A crash in between is mended at the next start.
                if (!batch.IsInstalled)
                {
                    await _install(snapshot);
                    batch.IsInstalled = true;
                }

                // What went before is no measure of the disk.
                _facts.WritingSince = _writingSince = _time.GetTimestamp();
                await _wal.MarkSnapshotAsync(new WalSnapshotMark(snapshot.Index, snapshot.Term, snapshot.Metadata.ConfState), batch.State);
            }

            if (!batch.IsEmpty)
            {
                await _wal.AppendAsync(batch.Entries, batch.State, batch.MustSync);
            }

            await ReleaseAsync();
        }
        catch (Exception exception)
        {
            // The loop decides: what the disk does can be tried again, anything else ends the node.
            failure = exception;
        }

        Invariant.Holds(_completions.TryPostAndRun(RaftCompletion.OfLog(failure)));
    }

    private async ValueTask ReleaseAsync()
    {
        if (_releaseUpTo <= _released)
        {
            return;
        }

        var index = _releaseUpTo;
        try
        {
            await _wal.ReleaseAsync(index);
        }
        catch (IOException)
        {
            // Room that comes back later: the next release includes this one. What was appended is durable all the same.
        }

        _released = index;
    }
}
