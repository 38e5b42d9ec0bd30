using Cairn.Protocol;
using Cairn.Protocol.Peers;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Reads;
using Cairn.State.Members;
using Google.Protobuf;

namespace Cairn.Server.Leases;

/// <summary>Tells the other voters of the leases of this leader, in memory, so that its successor goes on where it was; and asks them, when it begins to lead.</summary>
/// <remarks>
/// <para>
/// From when the voters are told, a renewal is acknowledged once a quorum knows it, this member included. One whose telling takes longer than an election timeout
/// goes through the log instead, which the next leader believes more than any memory. In a cluster with members of etcd nobody is told.
/// </para>
/// <para>Time is told with the deadlines, that of the leader's clock, so that no other clock has a part in it; what is lost with a leader is what passed since it was last told.</para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class LeaseTeller(NodeRuntime node)
{
    private const string TellPath = "/cairn/leases/tell";
    private const string RecallPath = "/cairn/leases/recall";

    private readonly AsyncSignal _wake = new();
    private readonly Lock _lock = new();
    private readonly AppliedGate _known = new();
    private LeaseListener[] _listeners = [];
    private ulong _asked;
    private ulong _told;
    private ulong _knownTo;
    private bool _stopping;

    /// <summary>What this member was told by leaders.</summary>
    public LeaseMemory Memory { get; } = new(node.State.Applied);

    private TimeSpan Interval => node.Options.ElectionTimeout / 4;

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        if (node.World.Calls is null)
        {
            return;
        }

        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, Interval, Interval);
        while (!Volatile.Read(ref _stopping))
        {
            await _wake.WaitAsync();
            var term = node.Leases.Term;
            if (term != 0 && term != _asked && MayBegin())
            {
                _asked = term;
                _ = node.Guard(BeginAsync(term));
            }
            else if (term != 0 && term == Volatile.Read(ref _told))
            {
                FollowVoters(term);
            }

            if (term == 0 || node.Leases.Count > 0)
            {
                WakeAll();
            }
        }
    }

    /// <summary>Ends all of it.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
        WakeAll();
        _known.Close();
    }

    /// <summary>Begins to ask and tell: this member leads, and keeps the time of leases. Any thread.</summary>
    public void Wake() => _wake.Set();

    /// <summary>Waits until a quorum knows of every renewal so far, where it is told.</summary>
    /// <param name="term">Term in which this member kept the time of leases before the renewal.</param>
    /// <param name="context">Who waits.</param>
    /// <returns>None; or time-out, if the log has to know; or why it is not known whether the renewal counts.</returns>
    public async ValueTask<NodeError> UntilKnownAsync(ulong term, RequestContext context)
    {
        var change = node.Leases.Changes;
        if (change != 0)
        {
            WakeAll();
            switch (await Patience.WaitAsync(_known.WaitAsync(change), node.Options.ElectionTimeout, node.Time, context.Cancelled))
            {
                case WaitOutcome.Cancelled:
                    return node.IsStopping ? NodeError.Stopped : NodeError.Canceled;
                case WaitOutcome.TimedOut:
                    return node.Leases.Term == term ? NodeError.Timeout : NodeError.LeaderChanged;
                default:
                    break;
            }
        }

        return node.Leases.Term == term ? NodeError.None : NodeError.LeaderChanged;
    }

    /// <summary>Answers a leader.</summary>
    /// <param name="call">What it tells or asks.</param>
    /// <returns>The answer; null if it is no such question.</returns>
    public PeerAnswer? Answer(PeerCall call)
    {
        var body = call.Body.GetValueOrDefault().Span;
        return call.Path switch
        {
            TellPath => Memory.Hear(LeaseNews.Parser.ParseGuarded(body)) ? new PeerAnswer(200, default) : PeerAnswer.Refuse(409, "tell everything anew"),
            RecallPath => new PeerAnswer(200, Memory.Recall(LeaseRecall.Parser.ParseGuarded(body)).ToByteArray()),
            _ => null,
        };
    }

    private void WakeAll()
    {
        foreach (var listener in Volatile.Read(ref _listeners))
        {
            listener.Wake.Set();
        }
    }

    private List<MemberRecord> Voters() => [.. node.View.Members.Members.Where(static member => !member.IsLearner)];

    /// <summary>Whether there is somebody to tell, and nobody who would not understand.</summary>
    private bool MayBegin() => Voters() is { Count: > 1 } voters && voters.TrueForAll(static voter => voter.Incarnation != 0);

    /// <summary>Asks what is remembered of the former leader, and only then begins to tell: what it tells is what it goes on with.</summary>
    private async Task BeginAsync(ulong term)
    {
        WakeAll();
        lock (_lock)
        {
            Volatile.Write(ref _listeners, []);
        }

        var voters = Voters();
        var former = Memory.FindFormer(term);
        var asked = await Task.WhenAll(voters.Select(voter => RecallAsync(voter, new LeaseRecall { Term = term, Former = former })));
        var whole = asked.OfType<LeaseRecollection>().ToList();
        if (whole.Count > voters.Count / 2)
        {
            node.Leases.Recall(term, Memory.Judge(whole));
        }

        Volatile.Write(ref _told, term);
        FollowVoters(term);
        WakeAll();
    }

    /// <summary>Asks one member all that it was told.</summary>
    /// <returns>It; null if it does not answer, or was not told everything.</returns>
    private async Task<LeaseRecollection?> RecallAsync(MemberRecord voter, LeaseRecall question)
    {
        LeaseRecollection? all = null;
        while (true)
        {
            question.Skip = (uint)(all?.Ids.Count ?? 0);
            var part = voter.Id == node.Headers.MemberId
                ? Memory.Recall(question)
                : await AskAsync(voter, new PeerCall(RecallPath, question.ToByteArray()), LeaseRecollection.Parser);
            if (part is not { IsWhole: true } || part.Ids.Count != part.Deadlines.Count || (part.IsMore && part.Ids.Count == 0))
            {
                return null;
            }

            if (all is null)
            {
                all = part;
            }
            else
            {
                all.Ids.Add(part.Ids);
                all.Deadlines.Add(part.Deadlines);
            }

            if (!part.IsMore)
            {
                return all;
            }
        }
    }

    /// <summary>Tells those who vote now.</summary>
    private void FollowVoters(ulong term)
    {
        lock (_lock)
        {
            var voters = Voters().Where(static voter => voter.Incarnation != 0).ToList();
            if (voters.Select(static voter => voter.Id).SequenceEqual(_listeners.Select(static listener => listener.Member)))
            {
                return;
            }

            var former = _listeners;
            var listeners = voters.Select(voter => Array.Find(former, listener => listener.Member == voter.Id) ?? new LeaseListener(voter.Id)).ToArray();
            node.Leases.Tell(term, listeners);
            Volatile.Write(ref _listeners, listeners);
            foreach (var listener in listeners.Except(former))
            {
                _ = node.Guard(TellAsync(term, listener));
            }
        }
    }

    /// <summary>Tells one member, until it is told nothing any more.</summary>
    private async Task TellAsync(ulong term, LeaseListener listener)
    {
        while (!Volatile.Read(ref _stopping))
        {
            // What was applied is looked at first: what the clock says then is not older.
            var news = new LeaseNews { Term = term, Applied = node.Facts.Applied };
            if (!node.Leases.TryTakeNews(term, listener, news, out var change))
            {
                return;
            }

            if (!await TryTellAsync(listener.Member, news))
            {
                listener.BeginAnew();
                await Task.Delay(Interval, node.Time);
            }
            else if (news.IsAll)
            {
                Learn(listener, change);
                await listener.Wake.WaitAsync();
            }
        }
    }

    private async ValueTask<bool> TryTellAsync(ulong member, LeaseNews news)
    {
        if (member == node.Headers.MemberId)
        {
            return Memory.Hear(news);
        }

        var voter = node.View.Members.Find(member);
        return voter is not null && await AskAsync(voter, new PeerCall(TellPath, news.ToByteArray()), LeaseHeard.Parser) is not null;
    }

    /// <summary>Lets those renewals go of which a quorum knows now.</summary>
    private void Learn(LeaseListener listener, ulong change)
    {
        lock (_lock)
        {
            listener.Known = change;
            var known = Voters().Select(voter => Array.Find(_listeners, each => each.Member == voter.Id)?.Known ?? 0).OrderDescending().ToList();
            if (known[known.Count / 2] is var quorum && quorum > _knownTo)
            {
                _knownTo = quorum;
                _known.Open(quorum);
            }
        }
    }

    private async Task<T?> AskAsync<T>(MemberRecord voter, PeerCall call, MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        foreach (var url in PeerUrls.Of(voter, node.Options))
        {
            if (await PeerBody.AskAsync(node.World, url, call with { To = voter.Id }, parser, node.Options.ElectionTimeout / 2) is { } answer)
            {
                return answer;
            }
        }

        return null;
    }
}
