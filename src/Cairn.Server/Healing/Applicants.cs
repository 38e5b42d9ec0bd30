using System.Collections.Immutable;
using Cairn.Protocol.Peers;

namespace Cairn.Server.Healing;

/// <summary>The directories without a place that asked this member, while it leads, to be taken in. Thread-safe.</summary>
/// <param name="keptFor">How long one that asks no more is remembered.</param>
internal sealed class Applicants(TimeSpan keptFor)
{
    // Each is a member or was one; a few times the largest cluster is plenty.
    private const int CountMax = 32;

    private readonly Lock _lock = new();
    private ImmutableList<Applicant> _all = [];

    /// <summary>All of them, in the order in which they first asked.</summary>
    public ImmutableList<Applicant> All => Volatile.Read(ref _all);

    /// <summary>Notes that one asks.</summary>
    /// <param name="request">What it says.</param>
    /// <param name="isOfThisCluster">Whether it has the cluster's token.</param>
    /// <param name="now">The moment.</param>
    public void Note(RejoinRequest request, bool isOfThisCluster, TimeSpan now)
    {
        var speaker = request.Speaker;
        lock (_lock)
        {
            var known = _all.Find(applicant => applicant.Incarnation == speaker.Incarnation);
            var noted = new Applicant
            {
                Name = speaker.Name,
                PeerUrls = [.. speaker.PeerUrls],
                Incarnation = speaker.Incarnation,
                OldMember = request.ReplacedId,
                IsOfThisCluster = isOfThisCluster,
                AskedAt = now,
                AnsweredAt = known?.AnsweredAt,
            };
            var rest = _all.RemoveAll(applicant => now - applicant.AskedAt > keptFor);
            _all = known is not null && rest.Contains(known) ? rest.Replace(known, noted) : rest.Count < CountMax ? rest.Add(noted) : rest;
        }
    }

    /// <summary>Forgets all: who still wants a place asks again at once.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _all = [];
        }
    }

    /// <summary>Notes that a question at its peer URL was answered with its incarnation.</summary>
    /// <param name="incarnation">The incarnation.</param>
    /// <param name="now">The moment.</param>
    public void Answered(ulong incarnation, TimeSpan now)
    {
        lock (_lock)
        {
            if (_all.Find(applicant => applicant.Incarnation == incarnation) is { } known)
            {
                _all = _all.Replace(known, known with { AnsweredAt = now });
            }
        }
    }
}
