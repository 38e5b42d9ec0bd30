using Cairn.Protocol.Peers;
using Cairn.Server.Founding;
using Cairn.Server.Loops;
using Cairn.Server.Peers;
using Google.Protobuf;

namespace Cairn.Server.Membership;

/// <summary>Shows this process to every other member until each has said that it hears it, and again now and then; learns from any of them that it must not speak.</summary>
/// <remarks>Nothing waits for it: a member works with whoever hears it.</remarks>
internal static class Introductions
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(1);

    // Who was heard may not be any more: while it was paused, a copy of its disk took its place. It hears of that here only.
    private const int RoundsUntilAskedAgain = 20;

    /// <summary>Runs until the node stops.</summary>
    /// <param name="node">The node.</param>
    /// <param name="wake">Wakes it, to see that the node stops.</param>
    /// <returns>Completes when the node stops.</returns>
    public static async Task RunAsync(NodeRuntime node, AsyncSignal wake)
    {
        var desk = new HandshakeDesk(node);
        var known = new HashSet<ulong>();
        var rounds = 0;
        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), wake, Interval, Interval);
        while (!node.IsStopping)
        {
            // Who is disputed asks on: whoever accepted it may have learned meanwhile what was decided.
            // A leader asks who has gone silent: at its address may be somebody who does not know of this cluster.
            // Who is known elsewhere than where it is shows itself on: whoever leads may have to bring it a state before it can publish its place.
            if (++rounds % RoundsUntilAskedAgain == 0)
            {
                known.Clear();
            }

            var isUnsettled = !node.Memory.Disputes.IsEmpty || Publication.HasMoved(node);
            // Where its own member is known at another address, that may be one of which it is a copy, and the leader.
            foreach (var member in node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId || !member.PeerUrls.Any(node.Options.PeerUrls.Contains)))
            {
                if (known.Contains(member.Id) && !isUnsettled && (node.Facts.LeadingTerm == 0 || node.Fence.IsAlive(member.Id)))
                {
                    continue;
                }

                if (!node.IsStopping && node.Memory.Fenced.Length == 0 && await ShowAsync(node, desk, member.Id, PeerUrls.Of(member, node.Options)))
                {
                    known.Add(member.Id);
                }
            }

            if (node.View.Members.Find(node.Headers.MemberId) is null)
            {
                await SeekAsync(node, desk);
            }

            // Who is to come back there may not know where this member is now: a new epoch knows its former members as vacant places only. What he says of this one does not count.
            foreach (var url in node.View.Healing.Vacancies.Where(place => place.FilledBy == 0 && node.Facts.LeadingTerm != 0).SelectMany(static place => place.PeerUrls))
            {
                await AskAsync(node, desk, url);
            }

            await wake.WaitAsync();
        }
    }

    /// <summary>
    /// A member that was not fed yet knows nobody, and may stand elsewhere than where it is looked for: it shows itself at every address that it was told. Whoever took it in may have known less
    /// than the others: a member that was about to learn that this one had started before, on a disk that is lost.
    /// </summary>
    private static async ValueTask SeekAsync(NodeRuntime node, HandshakeDesk desk)
    {
        foreach (var url in PeerUrls.Listed(node.Options).Except(node.Options.PeerUrls, StringComparer.Ordinal))
        {
            var answer = node.IsStopping ? PeerAnswer.None : await AskAsync(node, desk, url);
            if (answer.Status != 200 || PeerBody.TryParse(HandshakeAnswer.Parser, answer.Body) is not { Speaker: { } speaker } said || speaker.ClusterId != node.Headers.ClusterId)
            {
                continue;
            }

            if (said.Verdict == Verdict.Accepted)
            {
                node.World.Transport?.Introduce(new PeerAddress(speaker.MemberId, [url]));
            }

            desk.Heed(said, said.Speaker, url);
        }
    }

    private static async ValueTask<PeerAnswer> AskAsync(NodeRuntime node, HandshakeDesk desk, string url, HandshakeAnswer? opinion = null)
    {
        using var limit = new CancellationTokenSource(AnswerWithin, node.Time);
        var shown = desk.Describe();
        shown.Opinion = opinion;
        return node.World.Calls is { } calls ? await calls.AskAsync(url, new PeerCall(Founder.HandshakePath, shown.ToByteArray()), limit.Token) : PeerAnswer.None;
    }

    /// <summary>Tells a process that is not heard, or was not, what this member thinks of it: it is to ask this one, the leader perhaps, and may not know where that is now.</summary>
    private static async ValueTask TellAsync(NodeRuntime node, HandshakeDesk desk, Handshake shown, string url)
    {
        var opinion = desk.Opine(shown);
        if (opinion.Verdict is Verdict.Refused or Verdict.Disputed || shown.Disputes.Count > 0)
        {
            await AskAsync(node, desk, url, opinion);
        }
    }

    /// <returns>Whether the other need not be asked again.</returns>
    private static async ValueTask<bool> ShowAsync(NodeRuntime node, HandshakeDesk desk, ulong memberId, IEnumerable<string> urls)
    {
        foreach (var url in node.World.Calls is null ? [] : urls)
        {
            var answer = await AskAsync(node, desk, url);
            if (answer.Status == 404)
            {
                // Of etcd, which hears everybody.
                return true;
            }

            if (answer.Status != 200 || PeerBody.TryParse(HandshakeAnswer.Parser, answer.Body) is not { Speaker: not null } said)
            {
                continue;
            }

            if (said.Speaker.FormerEpochs.Contains(node.Headers.ClusterId))
            {
                await node.Recovery.GiveWayAsync(said.Speaker, url);
                return true;
            }

            if (said.Speaker.ClusterId != node.Headers.ClusterId)
            {
                continue;
            }

            if (said.Speaker.MemberId == memberId && !node.Memory.IsSilent && (said.Speaker.Disputes.Count > 0 || !node.Fence.IsAlive(memberId)))
            {
                await TellAsync(node, desk, said.Speaker, url);
            }

            desk.Heed(said, said.Speaker, url);
            return said.Verdict == Verdict.Accepted;
        }

        return false;
    }
}
