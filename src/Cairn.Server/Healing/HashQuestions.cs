using System.Text.Json;
using System.Text.Json.Nodes;
using Cairn.Server.Peers;
using Cairn.Server.Requests;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Cairn.Storage;

namespace Cairn.Server.Healing;

/// <summary>Asks other members for hashes of their key space, and answers them: as etcd's members do, so that those of Go can take part.</summary>
/// <remarks>Source: etcd server/etcdserver/corrupt.go, HashKVHandler and HashByRev.</remarks>
/// <param name="node">The node.</param>
internal sealed class HashQuestions(NodeRuntime node)
{
    /// <summary>Path of the question; asked by GET, with a body.</summary>
    public const string Path = "/members/hashkv";

    // Beside etcd's field: who does not know it, computes.
    private const string KeptOnly = "cairn_kept";
    private const string Compacted = "mvcc: required revision has been compacted";

    // A hash that must be computed reads the whole key space.
    private static readonly TimeSpan ComputedWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    /// <summary>Asks all other members.</summary>
    /// <param name="revision">Revision of the hash.</param>
    /// <param name="keptOnly">Whether only a hash that is kept of a compaction is wanted, which costs nothing.</param>
    /// <returns>What each said.</returns>
    public async Task<IReadOnlyList<PeerHash>> AskAllAsync(long revision, bool keptOnly)
    {
        var body = new JsonObject { ["revision"] = revision };
        if (keptOnly)
        {
            body[KeptOnly] = true;
        }

        var call = new PeerCall(Path, JsonSerializer.SerializeToUtf8Bytes(body)) { IsGet = true };
        var answers = new List<PeerHash>();
        foreach (var member in node.View.Members.Members.Where(member => member.Id != node.Headers.MemberId))
        {
            answers.Add(await AskAsync(member, call with { To = member.Id }, revision, keptOnly ? AnswerWithin : ComputedWithin));
        }

        return answers;
    }

    /// <summary>Answers another member.</summary>
    /// <param name="call">The question.</param>
    /// <param name="cancelled">Nobody waits any longer.</param>
    /// <returns>The hash, or why there is none, in etcd's words.</returns>
    public async ValueTask<PeerAnswer> AnswerAsync(PeerCall call, CancellationToken cancelled)
    {
        if (!TryReadQuestion(call.Body.GetValueOrDefault().Span, out var revision, out var keptOnly))
        {
            return PeerAnswer.Refuse(400, "error unmarshalling request");
        }

        if (keptOnly && !node.View.CompactionHashes.All.Any(hash => hash.Revision == revision))
        {
            return PeerAnswer.Refuse(400, Compacted);
        }

        try
        {
            var answer = await HashRun.RunAsync(node, revision, cancelled);
            if (!answer.Succeeded)
            {
                return PeerAnswer.Refuse(400, answer.Error == NodeError.FutureRevision ? "mvcc: required revision is a future revision" : Compacted);
            }

            var hash = answer.Value;
            return new PeerAnswer(200, JsonSerializer.SerializeToUtf8Bytes(new JsonObject
            {
                ["header"] = new JsonObject { ["revision"] = hash.Header.Revision },
                ["hash"] = hash.Hash,
                ["compact_revision"] = hash.CompactRevision,
                ["hash_revision"] = hash.HashRevision,
            }));
        }
        catch (CorruptionException damage)
        {
            return PeerAnswer.Refuse(500, damage.Message);
        }
    }

    private async Task<PeerHash> AskAsync(MemberRecord member, PeerCall call, long asked, TimeSpan within)
    {
        var none = new PeerHash(member, null, 0, "no response");
        foreach (var url in node.World.Calls is null ? [] : member.PeerUrls)
        {
            using var limit = new CancellationTokenSource(within, node.Time);
            var answer = await node.World.Calls!.AskAsync(url, call, limit.Token); // Null has no URLs.
            if (answer.Status == 200 && TryReadAnswer(answer.Body.Span, asked, out var hash, out var revision))
            {
                return new PeerHash(member, hash, revision, "");
            }

            none = answer.Status == 0 ? none : none with { Reason = $"{answer.Status} {answer.Text.TrimEnd()}" };
        }

        return none;
    }

    private static bool TryReadQuestion(ReadOnlySpan<byte> json, out long revision, out bool keptOnly)
    {
        (revision, keptOnly) = (0, false);
        return TryParse(json) is { } question && TryNumber(question, "revision", out revision) && TryFlag(question, KeptOnly, out keptOnly);
    }

    private static bool TryReadAnswer(ReadOnlySpan<byte> json, long asked, out KeySpaceHash hash, out long revision)
    {
        (hash, revision) = (default, 0);
        if (TryParse(json) is not { } answer || !TryNumber(answer, "hash", out var value) || value is < 0 or > uint.MaxValue
            || !TryNumber(answer, "compact_revision", out var compacted) || !TryNumber(answer, "hash_revision", out var at)
            || (answer["header"] is JsonObject header && !TryNumber(header, "revision", out revision)))
        {
            return false;
        }

        // etcd 3.5 does not say of which revision: it is of that which was asked for.
        hash = new KeySpaceHash((uint)value, compacted, at == 0 ? asked : at);
        return true;
    }

    private static JsonObject? TryParse(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonNode.Parse(json) as JsonObject;
        }
        catch (JsonException)
        {
            // Bytes of another member: whatever they are, they are no answer.
            return null;
        }
    }

    // As Go does: what is zero is left out.
    private static bool TryNumber(JsonObject from, string name, out long value)
    {
        value = 0;
        return from[name] is null || (from[name] is JsonValue field && field.TryGetValue(out value));
    }

    private static bool TryFlag(JsonObject from, string name, out bool value)
    {
        value = false;
        return from[name] is null || (from[name] is JsonValue field && field.TryGetValue(out value));
    }
}
