using Cairn.Client.Calls;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>Changes as they happen. Any thread.</summary>
public sealed class WatchClient
{
    private readonly Caller _caller;

    internal WatchClient(Caller caller) => _caller = caller;

    /// <summary>Starts to watch. Nothing is missed from the start revision on, or from the creation on if there is none.</summary>
    /// <param name="request">What to watch; the watcher's id is not used.</param>
    /// <returns>The watcher, which the caller disposes.</returns>
    public Watcher Open(WatchCreateRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new Watcher(_caller, request);
    }

    /// <summary>Starts to watch a range.</summary>
    /// <param name="range">The keys.</param>
    /// <param name="startRevision">The first revision whose changes are wanted, or 0 for those from now on.</param>
    /// <returns>The watcher, which the caller disposes.</returns>
    public Watcher Open(KeyRange range, long startRevision = 0) =>
        Open(new WatchCreateRequest { Key = range.Key, RangeEnd = range.End, StartRevision = startRevision });
}
