using System.Collections.Immutable;
using Cairn.Protocol.Peers;
using Cairn.Server.Founding;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.State.Members;
using Google.Protobuf;

namespace Cairn.Server.Recovery;

/// <summary>Asks everybody who is or may be a member what he holds. Owned by <see cref="LostQuorum"/>.</summary>
/// <param name="node">The node.</param>
internal sealed class RecoverySenses(NodeRuntime node)
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(1);

    private readonly HandshakeDesk _desk = new(node);

    /// <summary>Looks around.</summary>
    /// <param name="wish">What a person decided.</param>
    /// <returns>What is known.</returns>
    public async Task<RecoveryFacts> LookAsync(RecoveryWish? wish)
    {
        var entries = await node.RaftLoop.CallAsync(static core => core.UnappliedChanges);
        var changes = entries.Select(static entry => MemberChange.Parse(entry.Data.Span)).Where(static change => change?.Member is not null).Select(static change => change!).ToList(); // They were filtered.
        ImmutableArray<MemberRecord> members =
        [
            .. node.View.Members.Members.Select(member => MovedLast(member, changes)),
            .. changes.Where(static change => change.Kind == MemberChangeKind.Add).Select(change => MovedLast(change.Member!, changes)), // As before.
        ];
        var self = _desk.Describe();

        // Who has moved is asked at both places, since the move may not have been made; but who answers where it was does not answer for it.
        var left = node.View.Members.Members.Except(members).Select(static member => member with { Name = "" });
        var voices = await AskAsync(self, Places([.. members, .. left]));

        // Others may know of members of whom this one has not heard.
        var heardOf = voices.Where(voice => voice.Shown?.ClusterId == self.ClusterId).SelectMany(voice => voice.Shown!.Members).Select(FoundingRecords.Read);
        var asked = voices.SelectMany(voice => voice.Urls).ToHashSet(StringComparer.Ordinal);
        var more = Places([.. heardOf.DistinctBy(member => member.Id)]).Where(place => !place.Urls.Any(asked.Contains)).ToList();
        return new RecoveryFacts
        {
            Self = self,
            Members = [.. members.DistinctBy(member => member.Id).OrderBy(member => member.Id)],
            Voices = [.. voices, .. await AskAsync(self, more)],
            Mode = node.Options.HealRecover,
            AutoAfter = node.Options.HealRecoverAfter,
            Wish = wish,
        };
    }

    /// <summary>Asks for a promise.</summary>
    /// <param name="request">Which.</param>
    /// <param name="voice">Whom.</param>
    /// <returns>Null if it was given; else why not.</returns>
    public async Task<string?> AskAsync(PromiseRequest request, Voice voice)
    {
        var answer = await CallAsync(voice.Url, new PeerCall(RecoveryPaths.Promise, request.ToByteArray()) { To = voice.Shown?.MemberId ?? 0 });
        return answer.Status != 200 || PeerBody.TryParse(PromiseAnswer.Parser, answer.Body) is not { } said ? "no answer" : said.IsPromised ? null : said.Reason;
    }

    /// <summary>Hands on what a person decided.</summary>
    /// <param name="url">To whom.</param>
    /// <param name="wish">What.</param>
    /// <returns>Completes when said, heard or not.</returns>
    public async Task TellAsync(string url, RecoveryWish wish) => await CallAsync(url, new PeerCall(RecoveryPaths.Wish, wish.ToByteArray()));

    /// <summary>A member as it will be once what the log says of its address is applied.</summary>
    private static MemberRecord MovedLast(MemberRecord member, List<MemberChange> changes) =>
        changes.LastOrDefault(change => change.Kind == MemberChangeKind.Update && change.MemberId == member.Id) is { } move ? member with { PeerUrls = move.Member!.PeerUrls } : member; // They were filtered.

    /// <summary>Where members are to be asked, and those that this one was told of.</summary>
    private List<(string Name, ImmutableArray<string> Urls)> Places(ImmutableArray<MemberRecord> members)
    {
        var places = members.Where(member => member.Id != node.Headers.MemberId).Select(member => (member.Name, Urls: IsAtPlaceOfOther(member) ? member.PeerUrls : PeerUrls.Of(member, node.Options))).ToList();
        var listed = node.Options.InitialCluster
            .Where(each => each.Name != node.Options.Name && !places.Any(place => place.Urls.Any(url => each.PeerUrls.Contains(url))))
            .Select(each => (Name: members.Any(member => member.Name == each.Name && IsAtPlaceOfOther(member)) ? "" : each.Name, Urls: each.PeerUrls));
        return [.. places, .. listed];
    }

    /// <summary>Whether a member is known to run where the flags have another name: who has its name there is not it, and says nothing about its data. Disks were exchanged.</summary>
    private bool IsAtPlaceOfOther(MemberRecord member) =>
        node.Options.InitialCluster.Any(each => each.Name != member.Name && member.PeerUrls.Any(url => each.PeerUrls.Contains(url)));

    private async Task<ImmutableArray<Voice>> AskAsync(Handshake self, IReadOnlyList<(string Name, ImmutableArray<string> Urls)> places)
    {
        // All are asked at once; then the answers are collected.
        var question = self.ToByteArray();
        var asked = places.Select(place => AskAsync(question, new Voice(place.Name, place.Urls))).ToList();
        var voices = ImmutableArray.CreateBuilder<Voice>(asked.Count);
        foreach (var voice in asked)
        {
            voices.Add(await voice);
        }

        return voices.MoveToImmutable();
    }

    private async Task<Voice> AskAsync(byte[] question, Voice voice)
    {
        foreach (var url in voice.Urls)
        {
            var answer = await CallAsync(url, new PeerCall(Founder.HandshakePath, question));
            if (answer.Status == 200 && PeerBody.TryParse(HandshakeAnswer.Parser, answer.Body) is { Speaker: { } shown }
                && shown.Incarnation != node.Process.Incarnation)
            {
                return voice with { Url = url, Shown = shown };
            }
        }

        return voice;
    }

    private async Task<PeerAnswer> CallAsync(string url, PeerCall call)
    {
        if (node.World.Calls is not { } calls)
        {
            return PeerAnswer.None;
        }

        using var limit = new CancellationTokenSource(AnswerWithin, node.Time);
        return await calls.AskAsync(url, call, limit.Token);
    }
}
