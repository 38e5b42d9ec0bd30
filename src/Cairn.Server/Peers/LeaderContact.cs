using Cairn.Server.Disks;
using Cairn.Server.Membership;
using Cairn.State.Members;

namespace Cairn.Server.Peers;

/// <summary>Knows whether a member that follows can ask its leader.</summary>
/// <remarks>
/// The streams of messages go both ways, whoever dialled them: a leader may be heard although its name leads elsewhere by now. What is passed on to it, as keep-alives are, ends there. So the
/// leader is asked the same way, now and then; only that it answers itself matters.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class LeaderContact(NodeRuntime node)
{
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(2);

    // And at least two questions in a row: one may have met a pause of this process.
    private static readonly TimeSpan UnansweredFor = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private ulong _leader;
    private bool _isAsking;
    private (int Count, long Since) _unanswered;

    /// <summary>Whether this member follows a leader, and had no answer from it for a while. Any thread.</summary>
    public bool IsLost
    {
        get
        {
            lock (_lock)
            {
                return _unanswered.Count > 1 && _leader == node.Facts.Leader && node.Time.GetElapsedTime(_unanswered.Since) >= UnansweredFor;
            }
        }
    }

    /// <summary>Asks the leader if there is one, and no question is under way. One caller.</summary>
    public void Review()
    {
        var leader = node.Facts.Leader;
        var member = node.View.Members.Find(leader);
        lock (_lock)
        {
            _unanswered = leader == _leader ? _unanswered : default;
            _leader = leader;
            if (member is null || leader == node.Headers.MemberId || _isAsking)
            {
                return;
            }

            _isAsking = true;
        }

        _ = AskAsync(member);
    }

    private async Task AskAsync(MemberRecord leader)
    {
        var asked = node.Time.GetTimestamp();
        var hasAnswered = false;
        using var limit = new CancellationTokenSource(AnswersWithin, node.Time);
        try
        {
            hasAnswered = (await Task.WhenAll(PeerUrls.Of(leader, node.Options).Select(url => AnswersAsync(url, leader, limit.Token)))).Contains(true);
        }
        finally
        {
            lock (_lock)
            {
                _isAsking = false;
                if (_leader == leader.Id)
                {
                    _unanswered = hasAnswered ? default : (_unanswered.Count + 1, _unanswered.Count == 0 ? asked : _unanswered.Since);
                }
            }
        }
    }

    /// <summary>Whether the leader itself answers at an address. One of etcd has no such page, and says so; anybody else may say anything.</summary>
    private async Task<bool> AnswersAsync(string url, MemberRecord leader, CancellationToken cancelled)
    {
        try
        {
            var answer = await node.World.Calls!.AskAsync(url, PeerCall.Of(DiskWatch.Path) with { To = leader.Id }, cancelled); // Nobody reviews without calls.
            return answer.Status == 200 || (answer.Status == 404 && leader.Incarnation == 0);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
