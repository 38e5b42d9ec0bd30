using Cairn.Protocol;
using Cairn.State;

namespace Cairn.Server.Watch;

/// <summary>One watcher of one stream.</summary>
/// <remarks>Each mutable field names its owner; nothing else may touch it.</remarks>
internal sealed class Watcher
{
    /// <summary>Id, unique in the stream.</summary>
    public required long Id { get; init; }

    /// <summary>The stream it belongs to.</summary>
    public required WatchStream Stream { get; init; }

    /// <summary>Keys it wants.</summary>
    public required KeyRange Range { get; init; }

    /// <summary>First revision it wants.</summary>
    public required long Start { get; init; }

    /// <summary>First revision of which it is told as progress. A start that was asked for has to be reached; who asked for none was told of the revision before with the answer.</summary>
    public long ProgressFrom => Request.StartRevision == 0 ? Start - 1 : Start;

    /// <summary>Who watches; empty for nobody in particular.</summary>
    public string UserName { get; init; } = "";

    /// <summary>What was asked for.</summary>
    public required WatchCreateRequest Request { get; init; }

    /// <summary>Whether puts are filtered out.</summary>
    public bool NoPut { get; init; }

    /// <summary>Whether deletes are filtered out.</summary>
    public bool NoDelete { get; init; }

    /// <summary>Whether events carry the key's previous row.</summary>
    public bool WantsPrevious { get; init; }

    /// <summary>Whether large responses may be split.</summary>
    public bool MayFragment { get; init; }

    /// <summary>Whether it wants periodic progress messages.</summary>
    public bool WantsProgress { get; init; }

    /// <summary>Where the index keeps it. Owned by the hub's lock.</summary>
    public int SlotInGroup { get; set; }

    /// <summary>Whether the index has it. Owned by the hub's lock.</summary>
    public bool IsIndexed { get; set; }

    /// <summary>Last run of the dispatcher that marked it. Owned by the dispatcher.</summary>
    public long MarkedInRun { get; set; }

    /// <summary>Whether it stands in its stream's queue. Owned by the stream's lock.</summary>
    public bool IsQueued { get; set; }

    /// <summary>First revision with a matching change since it was last looked at; 0 if unknown, then everything from <see cref="Next"/> on counts. Owned by the stream's lock.</summary>
    public long MarkedFrom { get; set; }

    /// <summary>Whether it was cancelled, for good. Set under the stream's lock, before the hub is told.</summary>
    public bool IsCancelled { get; set; }

    /// <summary>Every change it wants below this revision was handed out. Owned by the puller.</summary>
    public long Next { get; set; }

    /// <summary>Whether it still has history to read, so that changes of several revisions go out together. Owned by the puller.</summary>
    public bool IsCatchingUp { get; set; }

    /// <summary>Whether it got events since the last periodic progress. Owned by the puller.</summary>
    public bool HadEvents { get; set; }

    /// <summary>Whether it wants this change.</summary>
    /// <param name="change">A change at or above <see cref="Start"/>.</param>
    /// <returns>True if it passes the filters and is in the range.</returns>
    public bool Wants(in StateEvent change) => WantsKind(change.IsDeletion) && Range.Contains(change.Key.Span);

    /// <summary>Whether it wants changes of this kind.</summary>
    /// <param name="isDelete">Delete or put.</param>
    /// <returns>True if no filter is against it.</returns>
    public bool WantsKind(bool isDelete) => isDelete ? !NoDelete : !NoPut;
}
