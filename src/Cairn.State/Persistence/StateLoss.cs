using Cairn.Storage;

namespace Cairn.State.Persistence;

/// <summary>What a state lacks that was made of the part of a damaged log that verifies.</summary>
/// <param name="AfterRevision">Everything up to this revision is there.</param>
/// <param name="LastRevision">Everything behind it is not, up to this one at least: what was acknowledged later is in no row yet.</param>
/// <param name="Damage">What stands in the way, with file and offset.</param>
public sealed record StateLoss(long AfterRevision, long LastRevision, CorruptionException Damage)
{
    /// <summary>How far the revision is raised where acknowledged ones may be lost: nobody writes so many in the time that is in doubt.</summary>
    public const long SkippedRevisions = 1_000_000_000;
}
