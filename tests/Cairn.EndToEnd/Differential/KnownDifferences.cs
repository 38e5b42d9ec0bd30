using System.Text.Json.Nodes;

namespace Cairn.EndToEnd.Differential;

/// <summary>In what the two servers differ on purpose, or where each may word it as it likes, and how often that was met.</summary>
internal sealed class KnownDifferences
{
    private static readonly (string What, Func<Question, Reply, Reply, bool> Is)[] Listed =
    [
        ("a broken body is refused by both, each in the words of its parser", static (question, etcd, cairn) => question.IsBroken && Refused(etcd) && Refused(cairn) && IsParsing(etcd) && IsParsing(cairn)),
        ("a sort by an unknown order is refused, as in 3.6", static (_, _, cairn) => cairn.Text == "etcdserver: invalid sort option"),
        ("unknown paths and methods of the gateway are answered as by its version 1, in plain text", static (question, etcd, cairn) =>
            question.IsJson && question.Method is null && cairn.Code == -1 && etcd.Text == cairn.Text),
        ("for the revision of a compaction etcd answers with the hash that it kept of it", static (question, etcd, cairn) => question.Name == "HashKV" && Compaction(etcd) < Compaction(cairn)),
        ("bytes behind the message of a unary call are refused", static (question, _, cairn) => question.IsBroken && cairn.Text.Contains("more than one message", StringComparison.Ordinal)),
        ("a token that is not valid is refused by every call, as in the newest releases", static (question, _, cairn) => question.User.Length > 0 && cairn.Text == "etcdserver: invalid auth token"),
        ("a call without a token is refused, as in the newest releases", static (question, etcd, cairn) => question.User.Length == 0 && etcd.Code == 0 && cairn.Text == "etcdserver: user name is empty"),
        ("/readyz has the check non_learner, as in 3.6", static (question, _, cairn) => question.Path.StartsWith("/readyz", StringComparison.Ordinal) && cairn.Text.Contains("non_learner", StringComparison.Ordinal)),
        ("the log level can be changed, as in 3.4", static (question, _, _) => question.Path == "/config/local/log"),
        ("guesses of passwords are slowed down", static (question, _, cairn) => question.Name == "Authenticate" && cairn.Text == "etcdserver: too many requests"),
        ("what is no message to the one may be one to the other: a known field of a wrong wire type, a group that nobody opened", static (question, etcd, cairn) =>
            question.IsBroken && (IsUnmarshalling(etcd) || IsUnmarshalling(cairn))),
        ("the order of rows that a sort finds equal is anybody's", static (question, etcd, cairn) =>
            question.Name is "Range" or "Txn" && question.Shown.Contains("sort", StringComparison.Ordinal)
            && (etcd.Compared.Length == cairn.Compared.Length || AreSortedAlike(question, etcd, cairn))),
        ("who may not is told so before anything else that is wrong", static (_, etcd, cairn) =>
            etcd.Text is "etcdserver: request is too large" or "election: not leader" && cairn.Text == "etcdserver: permission denied"),
        ("of two things that are wrong with a transaction the other one is named, as in 3.6", static (question, etcd, cairn) =>
            question.Name == "Txn" && etcd.Text is "etcdserver: requested lease not found" or "etcdserver: key not found" && cairn.Code == 11),
        ("a range that names no key is permitted where its key is; in etcd the shape of a tree decides", static (question, etcd, cairn) =>
            question.User.Length > 0 && etcd.Text == "etcdserver: permission denied" && cairn.Code == 0 && !cairn.Compared.Contains("kvs", StringComparison.Ordinal)),
        ("numbers with something behind them are none", static (question, etcd, cairn) =>
            question.IsBroken && !IsParsing(etcd) && cairn.Text.Contains("expects an integer", StringComparison.Ordinal)),
        ("the role root is shown with what it may, as in 3.6", static (question, _, cairn) =>
            question.Name == "RoleGet" && cairn.Compared.Contains("""[{"permType":"READWRITE","range_end":"AA=="}]""", StringComparison.Ordinal)),
        ("text that is not UTF-8 is read with the replacement character", static (_, etcd, cairn) =>
            etcd.Text.Contains("invalid UTF-8", StringComparison.Ordinal) || cairn.Compared.Contains("\\uFFFD", StringComparison.Ordinal)),
        ("names of enums that nobody knows are refused, as by version 1 of the gateway", static (question, _, cairn) =>
            question.IsBroken && question.IsJson && cairn.Text.StartsWith("json: unknown value", StringComparison.Ordinal)),
        ("transactions within transactions need their permissions too, as in the newest releases", static (question, _, cairn) =>
            question.Name == "Txn" && Shows(question, "Txn") && cairn.Text == "etcdserver: permission denied"),
        ("while there is no space left, puts in transactions within transactions are refused, too", static (question, etcd, cairn) =>
            question.Name == "Txn" && Shows(question, "Txn") && etcd.Code == 0 && cairn.Text == "etcdserver: mvcc: database space exceeded"),
        ("a transaction that deletes a key and puts it again with what it had ends etcd", static (question, etcd, cairn) =>
            question.Name == "Txn" && Shows(question, "delete") && Shows(question, "ignore") && etcd.IsMissing && !cairn.IsMissing),
        ("a put within a transaction needs what the keys of its lease need, as in the newest releases", static (question, etcd, cairn) =>
            question.User.Length > 0 && (question.Name is "Txn" or "Campaign" or "Lock") && Shows(question, "lease") && etcd.Code == 0 && cairn.Text == "etcdserver: permission denied"),
        ("an end of a range that is sent although it is empty is none", static (question, etcd, cairn) =>
            question.IsBroken && !question.IsJson && question.Name == "Range" && etcd.Code == 0 && cairn.Code == 0 && question.Shown.Contains("1200", StringComparison.Ordinal)),
    ];

    private static readonly (string Target, string Field)[] SortFields = [("VERSION", "version"), ("CREATE", "create_revision"), ("MOD", "mod_revision"), ("VALUE", "value")];

    private readonly int[] _counts = new int[Listed.Length];

    /// <summary>What was met, and how often.</summary>
    public IEnumerable<string> Met => Listed.Zip(_counts).Where(static pair => pair.Second > 0).Select(static pair => $"{pair.Second,8}  {pair.First.What}");

    /// <summary>Looks whether a difference is listed, and counts it.</summary>
    /// <param name="question">What was asked.</param>
    /// <param name="etcd">What etcd said.</param>
    /// <param name="cairn">What Cairn said.</param>
    /// <returns>True if it is.</returns>
    public bool Take(Question question, Reply etcd, Reply cairn)
    {
        for (var i = 0; i < Listed.Length; i++)
        {
            if (Listed[i].Is(question, etcd, cairn))
            {
                _counts[i]++;
                return true;
            }
        }

        return false;
    }

    private static bool Shows(Question question, string word) => question.Shown.Contains(word, StringComparison.OrdinalIgnoreCase);

    private static long Compaction(Reply reply) => long.TryParse((reply.Body as JsonObject)?["compact_revision"]?.ToString(), out var revision) ? revision : 0;

    /// <summary>Whether a limit cut the same number of rows off two orders that are both right: of what was sorted by, both show the same.</summary>
    private static bool AreSortedAlike(Question question, Reply etcd, Reply cairn)
    {
        var sortedBy = SortFields.FirstOrDefault(pair => question.Shown.Contains($"\"{pair.Target}\"", StringComparison.Ordinal)).Field;
        return sortedBy is not null && Rows(etcd).Select(row => row?[sortedBy]?.ToString()).SequenceEqual(Rows(cairn).Select(row => row?[sortedBy]?.ToString()));
    }

    private static JsonArray Rows(Reply reply) => (reply.Body as JsonObject)?["kvs"] as JsonArray ?? [];

    private static bool IsUnmarshalling(Reply reply) => reply.Text.StartsWith("grpc: error unmarshalling request", StringComparison.Ordinal);

    private static bool Refused(Reply reply) => reply.Code != 0;

    // InvalidArgument of the gateway, Internal or Unknown of gRPC, ResourceExhausted of a length that is not true, Unimplemented of a compression.
    private static bool IsParsing(Reply reply) => reply.Code is 2 or 3 or 8 or 12 or 13;
}
