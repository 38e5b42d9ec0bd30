namespace Cairn.Raft.Quorum;

/// <summary>Where a vote stands.</summary>
internal enum VoteResult
{
    /// <summary>Neither yes nor no has a quorum yet.</summary>
    Pending = 1,

    /// <summary>Yes cannot reach a quorum any more.</summary>
    Lost = 2,

    /// <summary>Yes has a quorum.</summary>
    Won = 3,
}
