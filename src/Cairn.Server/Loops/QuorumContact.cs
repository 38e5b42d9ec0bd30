using System.Collections.Immutable;
using Cairn.Raft;

namespace Cairn.Server.Loops;

/// <summary>Knows when a leader last heard a quorum: without one, nobody's requests can be answered.</summary>
/// <remarks>Owned by the raft loop.</remarks>
/// <param name="time">Source of time.</param>
internal sealed class QuorumContact(TimeProvider time)
{
    private readonly Dictionary<ulong, long> _heard = [];
    private long _since = time.GetTimestamp();

    /// <summary>Begins anew: this member leads in a new term.</summary>
    public void Forget()
    {
        _heard.Clear();
        _since = time.GetTimestamp();
    }

    /// <summary>A member answered in the term in which this one leads.</summary>
    /// <param name="member">Which.</param>
    public void Heard(ulong member) => _heard[member] = time.GetTimestamp();

    /// <summary>Tells how long ago a quorum was heard.</summary>
    /// <param name="configuration">Who votes.</param>
    /// <param name="self">This member, which hears itself.</param>
    /// <returns>The time; zero if this member is a quorum.</returns>
    public TimeSpan Unheard(ConfState configuration, ulong self)
    {
        var now = time.GetTimestamp();
        var heard = Math.Min(QuorumHeard(configuration.Voters, self, now), QuorumHeard(configuration.VotersOutgoing, self, now));
        return time.GetElapsedTime(heard, now);
    }

    /// <summary>The newest moment by which more than half had been heard.</summary>
    private long QuorumHeard(ImmutableArray<ulong> voters, ulong self, long now)
    {
        if (voters.IsEmpty)
        {
            return now;
        }

        Span<long> heard = voters.Length <= 16 ? stackalloc long[voters.Length] : new long[voters.Length];
        for (var i = 0; i < voters.Length; i++)
        {
            heard[i] = voters[i] == self ? now : _heard.GetValueOrDefault(voters[i], _since);
        }

        heard.Sort();
        return heard[(voters.Length - 1) / 2];
    }
}
