using System.Threading.Tasks.Sources;

namespace Cairn.Storage;

/// <summary>One write and sync, or sync alone, on its way to a thread of the disk and back. Reused by its file, so that a group commit allocates nothing.</summary>
internal sealed class SyncRequest : IDiskWork, IThreadPoolWorkItem, IValueTaskSource
{
    private readonly RealFile _file;
    private ManualResetValueTaskSourceCore<bool> _outcome;
    private long _offset;
    private ReadOnlyMemory<byte> _source;
    private Exception? _failure;

    /// <summary>Creates a request that belongs to a file.</summary>
    /// <param name="file">The file.</param>
    public SyncRequest(RealFile file)
    {
        _file = file;
    }

    /// <summary>Sends the request off.</summary>
    /// <param name="threads">Who carries it out.</param>
    /// <param name="offset">Where to write.</param>
    /// <param name="source">What to write before the sync; empty for a sync alone.</param>
    /// <returns>Completes when durable.</returns>
    public ValueTask Start(DiskThreads threads, long offset, ReadOnlyMemory<byte> source)
    {
        _offset = offset;
        _source = source;
        var task = new ValueTask(this, _outcome.Version);
        threads.Submit(this);
        return task;
    }

    void IDiskWork.Run()
    {
        try
        {
            _file.WriteAndSync(_offset, _source.Span);
        }
        catch (Exception failure)
        {
            // Whoever awaits the sync gets to see it; the disk's thread goes on.
            _failure = failure;
        }

        // What awaits a sync may run for long, and the disk's thread has the next one to do. The request itself is what is queued, so that this allocates nothing.
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        if (_failure is { } failure)
        {
            _outcome.SetException(failure);
        }
        else
        {
            _outcome.SetResult(true);
        }
    }

    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _outcome.GetResult(token);
        }
        finally
        {
            _source = default;
            _failure = null;
            _outcome.Reset();
            _file.TakeBack(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _outcome.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _outcome.OnCompleted(continuation, state, token, flags);
}
