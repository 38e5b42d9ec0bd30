using Cairn.Raft;

namespace Cairn.Server.Membership;

/// <summary>Which process of each member asked for this member's vote, in the newest term in which one did. Thread-safe.</summary>
/// <remarks>
/// A vote is for a member, and two copies of a disk are the same member: both would get the vote of one term, and both could lead in it. So a vote is for the process that asked first.
/// Whoever starts anew asks in a later term, at its second attempt at the latest.
/// </remarks>
/// <param name="held">What the log says at the start: for which member this one voted, but not for which process, so none gets that vote again.</param>
internal sealed class VoteRequests(HardState held)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, (ulong Term, ulong Nonce)> _newest = new() { [held.Vote] = (held.Term, 0) };

    /// <summary>Notes a request.</summary>
    /// <param name="memberId">Who asks.</param>
    /// <param name="term">For which term.</param>
    /// <param name="nonce">The process that asks.</param>
    /// <returns>False if another process of that member asked in the same term.</returns>
    public bool TryNote(ulong memberId, ulong term, ulong nonce)
    {
        lock (_lock)
        {
            if (_newest.TryGetValue(memberId, out var known) && known.Term >= term)
            {
                return known.Term > term || known.Nonce == nonce;
            }

            _newest[memberId] = (term, nonce);
            return true;
        }
    }
}
