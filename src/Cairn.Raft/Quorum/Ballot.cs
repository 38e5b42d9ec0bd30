namespace Cairn.Raft.Quorum;

/// <summary>Who said yes or no. The first word of a member counts. Few members, so a list beats a table.</summary>
internal sealed class Ballot
{
    private readonly List<(ulong Id, bool Granted)> _votes = [];

    public void Clear() => _votes.Clear();

    public void Record(ulong id, bool granted)
    {
        if (VoteOf(id) is null)
        {
            _votes.Add((id, granted));
        }
    }

    /// <summary>The member's word, or null while it has not spoken.</summary>
    public bool? VoteOf(ulong id)
    {
        foreach (var (voter, granted) in _votes)
        {
            if (voter == id)
            {
                return granted;
            }
        }

        return null;
    }
}
