using Cairn.Raft;
using Cairn.Server.Loops;
using Xunit;

namespace Cairn.Tests.Server.Loops;

public sealed class WalBatchTests
{
    [Fact]
    public void What_a_new_leader_replaces_before_it_was_synced_is_not_acknowledged_to_the_old_one()
    {
        var batch = new WalBatch(default);
        batch.Add(Append(term: 6, leader: 5, first: 156, last: 158));

        batch.Add(Append(term: 7, leader: 4, first: 157, last: 157));

        Assert.Equal([(6UL, 156UL), (7UL, 157UL)], batch.Entries.ToArray().Select(static entry => (entry.Term, entry.Index)));
        Assert.Equal([(7UL, 4UL, 157UL)], batch.Responses.Select(static response => (response.Term, response.To, response.Index)));
    }

    [Fact]
    public void What_follows_without_a_gap_is_acknowledged_together()
    {
        var batch = new WalBatch(default);
        batch.Add(Append(term: 6, leader: 5, first: 156, last: 157));

        batch.Add(Append(term: 6, leader: 5, first: 158, last: 158));

        Assert.Equal([157UL, 158UL], batch.Responses.Select(static response => response.Index));
    }

    private static Message Append(ulong term, ulong leader, ulong first, ulong last) => new()
    {
        Type = MessageType.StorageAppend,
        To = LocalTarget.AppendThread,
        Term = term,
        Entries = Enumerable.Range((int)first, (int)(last - first) + 1).Select(index => new Entry(term, (ulong)index, EntryType.Normal, default)).ToArray(),
        Responses = [new Message { Type = MessageType.AppResp, To = leader, From = 3, Term = term, Index = last }],
    };
}
