using System.Globalization;
using Cairn.Protocol.Peers;
using Cairn.Server.Peers;
using Cairn.State;
using Cairn.State.Mvcc;
using Cairn.Storage;
using Cairn.Storage.Revisions;
using Google.Protobuf;

namespace Cairn.Server.Upkeep;

/// <summary>Writes the records of damaged segments anew: those that are sound from where they are, the others from other members, which have the same.</summary>
/// <remarks>
/// Owned by the housekeeping loop. The index says what is needed of a segment, so that nothing of it has to be believed. What nobody has stays where it is, is
/// named, and asked for again later: a member may come back that has it. Reads of it fail until then.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class SegmentRepair(NodeRuntime node)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetrySoon = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    private readonly Dictionary<uint, long> _tried = [];

    /// <summary>Heals what was found to be damaged.</summary>
    /// <returns>Whether records have new places, so that the state should be written.</returns>
    public async Task<bool> RunAsync()
    {
        var isChanged = false;
        foreach (var segment in node.Disks.Damage.List())
        {
            // While an entry waits for a record, those who may have it are asked more often.
            var pause = node.Facts.HaltedBy is null ? RetryAfter : RetrySoon;
            if (!_tried.TryGetValue(segment, out var tried) || node.Time.GetElapsedTime(tried) >= pause)
            {
                isChanged |= await HealAsync(segment, isFirst: tried == 0);
                _tried[segment] = node.Time.GetTimestamp();
            }
        }

        return isChanged;
    }

    private async Task<bool> HealAsync(uint segment, bool isFirst)
    {
        var view = await node.ApplyLoop.CallAsync(state =>
        {
            state.SealSegment(segment);
            state.Publish();
            return state.View;
        });
        var rescued = new List<RescuedRecord>();
        var fetched = 0;
        var isGone = false;
        foreach (var record in view.FindRecords(segment))
        {
            var payload = TryRead(view, record);
            if (payload is null)
            {
                (payload, var isGoneEverywhere) = await FetchAsync(record);
                fetched += payload is null ? 0 : 1;
                isGone |= isGoneEverywhere;
            }

            if (payload is not null)
            {
                var kind = record.IsTombstone ? RecordKind.Tombstone : RecordKind.Put;
                rescued.Add(new RescuedRecord(kind, record.Revision, record.Place, payload, record.Key));
            }
            else if (isFirst)
            {
                var key = ByteString.CopyFrom(record.Key).ToStringUtf8();
                var revision = string.Create(CultureInfo.InvariantCulture, $"{record.Revision.Main}/{record.Revision.Sub}");
                node.Logger.RecordLost(segment, record.Place.Offset, revision, key);
            }
        }

        var isWhole = await node.ApplyLoop.CallAsync(state =>
        {
            var isDone = state.RewriteSegment(segment, rescued);
            state.Publish();
            return isDone;
        });
        if (isWhole)
        {
            node.Disks.Damage.Healed(segment);
            _tried.Remove(segment);
            node.Logger.SegmentHealed(segment, rescued.Count - fetched, fetched);
        }

        if (isGone && node.Facts.HaltedBy is { } damage)
        {
            // The others have compacted it already: their state has all that comes of it.
            node.Hashes.Aside.Begin($"{damage}; an entry needs it, and no other member has it any more", []);
        }
        else if (!isWhole && node.Facts.HaltedBy is not null && node.Facts.LeadingTerm != 0)
        {
            await new Membership.HandOver(node).ToBestAsync();
        }

        return rescued.Count > 0 || isWhole;
    }

    private static byte[]? TryRead(ReadView view, NeededRecord record)
    {
        try
        {
            return view.ReadRecord(record);
        }
        catch (Exception damage) when (damage is CorruptionException or IOException)
        {
            // That is why it is here.
            return null;
        }
    }

    /// <summary>Asks the other members for a record.</summary>
    /// <returns>Its payload; without it, whether all others were heard and none has it.</returns>
    private async Task<(byte[]? Payload, bool IsGone)> FetchAsync(NeededRecord record)
    {
        var request = new RecordRequest { Main = record.Revision.Main, Sub = record.Revision.Sub };
        var call = new PeerCall(Disks.DamageList.Path, request.ToByteArray());
        var others = node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId).ToList();
        var denied = 0;
        foreach (var member in others)
        {
            RecordAnswer? answer = null;
            for (var i = 0; answer is null && i < member.PeerUrls.Length; i++)
            {
                answer = await PeerBody.AskAsync(node.World, member.PeerUrls[i], call with { To = member.Id }, RecordAnswer.Parser, AnswerWithin);
            }

            if (answer is { Found: true } && ReadView.IsPayloadOf(record, answer.Payload.Span))
            {
                return (answer.Payload.ToByteArray(), false);
            }

            denied += answer is null ? 0 : 1;
        }

        return (null, others.Count > 0 && denied == others.Count);
    }
}
