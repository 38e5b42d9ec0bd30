using Cairn.Protocol;
using Cairn.State;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.State;

public sealed class KeySpaceTests
{
    private readonly Machine _machine = new();

    [Fact]
    public void A_fresh_store_is_at_revision_1_and_the_first_put_makes_2()
    {
        Assert.Equal(1, _machine.View.Revision);

        var result = _machine.Put("a", "1");

        Assert.Equal(2, result.Revision);
        Assert.Equal(new PutResponse { Header = new ResponseHeader { Revision = 2 } }, result.ToResponse());
        Assert.Equal(
            new KeyValue { Key = Machine.Bytes("a"), Value = Machine.Bytes("1"), CreateRevision = 2, ModRevision = 2, Version = 1 },
            Assert.Single(_machine.All().Kvs));
    }

    [Fact]
    public void A_key_made_again_starts_at_version_1_with_a_new_create_revision()
    {
        _machine.Put("a", "1");
        _machine.Put("a", "2");
        _machine.Delete("a");
        _machine.Put("a", "3");

        var kv = Assert.Single(_machine.All().Kvs);

        Assert.Equal((5, 5, 1), (kv.CreateRevision, kv.ModRevision, kv.Version));
        Assert.Equal("a=2", _machine.Text(revision: 3));
        Assert.Equal("", _machine.Text(revision: 4));
    }

    [Fact]
    public void A_deletion_of_nothing_makes_no_revision_and_no_event()
    {
        var result = _machine.Delete("a", "z");

        Assert.Equal(1, result.Revision);
        Assert.True(result.Events.IsEmpty);
        Assert.Equal(new DeleteRangeResponse { Header = new ResponseHeader { Revision = 1 } }, result.ToResponse());
    }

    [Fact]
    public void Tombstones_of_one_call_share_a_revision_in_key_order()
    {
        _machine.Put("b", "1");
        _machine.Put("a", "1");
        _machine.Put("c", "1");

        var result = _machine.Delete("a", "c");

        var events = result.Events.ToArray();
        Assert.Equal(["a", "b"], events.Select(each => System.Text.Encoding.UTF8.GetString(each.Key.Span)));
        Assert.Equal([(5L, 0), (5L, 1)], events.Select(each => (each.Revision.Main, each.Revision.Sub)));
        Assert.Equal(
            events.Select(each => new KeyValue { Key = ByteString.CopyFrom(each.Key.Span), ModRevision = 5 }),
            events.Select(each => KeyValue.Parser.ParseFrom(each.KeyValue.Span)));
    }

    [Theory]
    [InlineData("a", "", "a=1")]
    [InlineData("a", "c", "a=1 b=2")]
    [InlineData("b", "\0", "b=2 c=3")]
    [InlineData("\0", "\0", "a=1 b=2 c=3")]
    [InlineData("c", "a", "")]
    [InlineData("b", "b", "")]
    public void A_range_end_is_read_by_the_convention(string key, string end, string expected)
    {
        _machine.Put("a", "1");
        _machine.Put("b", "2");
        _machine.Put("c", "3");

        var response = _machine.Range(new RangeRequest { Key = Machine.Bytes(key), RangeEnd = Machine.Bytes(end) });

        Assert.Equal(expected, string.Join(' ', response.Kvs.Select(kv => $"{kv.Key.ToStringUtf8()}={kv.Value.ToStringUtf8()}")));
        Assert.Equal(response.Kvs.Count, response.Count);
    }

    [Fact]
    public void The_count_ignores_limit_and_filters()
    {
        for (var i = 0; i < 5; i++)
        {
            _machine.Put($"k{i}", "");
        }

        var limited = _machine.Range(new RangeRequest { Key = Machine.Bytes("k"), RangeEnd = Machine.Bytes("l"), Limit = 2 });
        var filtered = _machine.Range(new RangeRequest { Key = Machine.Bytes("k"), RangeEnd = Machine.Bytes("l"), MinModRevision = 6 });

        Assert.Equal((5, true, 2), (limited.Count, limited.More, limited.Kvs.Count));
        Assert.Equal((5, false, 1), (filtered.Count, filtered.More, filtered.Kvs.Count));
    }

    [Fact]
    public void A_negative_upper_filter_drops_everything()
    {
        _machine.Put("a", "1");

        var response = _machine.Range(new RangeRequest { Key = Machine.Bytes("a"), MaxModRevision = -1 });

        Assert.Equal((1, 0), (response.Count, response.Kvs.Count));
    }

    [Fact]
    public void Keys_only_keeps_everything_but_the_value()
    {
        _machine.Grant(7, 100);
        _machine.Put("a", "1", lease: 7);

        var response = _machine.Range(new RangeRequest { Key = Machine.Bytes("a"), KeysOnly = true });

        Assert.Equal(new KeyValue { Key = Machine.Bytes("a"), CreateRevision = 2, ModRevision = 2, Version = 1, Lease = 7 }, Assert.Single(response.Kvs));
    }

    [Fact]
    public void A_target_without_an_order_sorts_ascending()
    {
        _machine.Put("a", "3");
        _machine.Put("b", "1");
        _machine.Put("c", "2");

        var response = _machine.Range(new RangeRequest
        {
            Key = Machine.Bytes("a"),
            RangeEnd = Machine.Bytes("z"),
            SortTarget = RangeRequest.Types.SortTarget.Value,
        });

        Assert.Equal(["b", "c", "a"], response.Kvs.Select(kv => kv.Key.ToStringUtf8()));
    }

    [Fact]
    public void A_put_without_a_lease_detaches_the_key()
    {
        _machine.Grant(7, 100);
        _machine.Put("a", "1", lease: 7);

        _machine.Put("a", "2");

        Assert.Empty(_machine.View.Leases.KeysOf(7));
        Assert.Equal(3, _machine.Revoke(7).Revision);
        Assert.Equal("a=2", _machine.Text());
    }

    [Fact]
    public void The_lease_of_a_put_is_checked_before_its_flags()
    {
        var result = _machine.Apply(new InternalRaftRequest { Put = new PutRequest { Key = Machine.Bytes("a"), Lease = 9, IgnoreValue = true } });

        Assert.Equal(StoreError.LeaseNotFound, result.Error);
        Assert.Null(result.ToResponse());
    }

    [Fact]
    public void A_value_that_is_to_be_kept_must_be_there()
    {
        Assert.Equal(
            StoreError.KeyNotFound,
            _machine.Apply(new InternalRaftRequest { Put = new PutRequest { Key = Machine.Bytes("a"), IgnoreValue = true } }).Error);
        _machine.Grant(7, 100);
        _machine.Put("a", "1", lease: 7);

        _machine.Apply(new InternalRaftRequest { Put = new PutRequest { Key = Machine.Bytes("a"), IgnoreValue = true, IgnoreLease = true } });

        var kv = Assert.Single(_machine.All().Kvs);
        Assert.Equal(("1", 7, 2), (kv.Value.ToStringUtf8(), kv.Lease, kv.Version));
    }

    [Fact]
    public void A_view_does_not_change_when_the_store_does()
    {
        _machine.Put("a", "1");
        var view = _machine.View;

        _machine.Put("a", "2");
        _machine.Put("b", "1");
        _machine.Compact(4);
        _machine.SweepAll();

        Assert.Equal(StoreError.None, view.Range(new RangeRequest { Key = Machine.Bytes("\0"), RangeEnd = Machine.Bytes("\0") }, out var result));
        Assert.Equal("1", Assert.Single(result.ToMessage().Kvs).Value.ToStringUtf8());
        Assert.Equal(2, view.Revision);
    }

    [Fact]
    public void Pieces_of_a_range_together_equal_the_whole()
    {
        for (var i = 0; i < 25; i++)
        {
            _machine.Put($"k{i:00}", $"{i}");
        }

        var request = new RangeRequest { Key = Machine.Bytes("k"), RangeEnd = Machine.Bytes("l"), Limit = 17 };
        Assert.Equal(StoreError.None, _machine.View.OpenRange(request, out var cursor));
        var merged = new RangeResponse();
        while (!cursor!.IsAtEnd) // OpenRange succeeded.
        {
            var piece = cursor.Next(rowsMax: 4).ToMessage();
            Assert.Equal(cursor.IsAtEnd, piece.Count > 0);
            merged.MergeFrom(piece);
        }

        Assert.Equal(_machine.Range(request), merged);
    }

    [Fact]
    public void An_answer_is_written_as_the_generated_code_would()
    {
        _machine.Put("a", new string('x', 300));
        _machine.Put("b", "");
        _machine.View.Range(new RangeRequest { Key = Machine.Bytes("a"), RangeEnd = Machine.Bytes("c"), Limit = 1 }, out var result);
        var header = new ResponseHeader { ClusterId = 5, MemberId = 6, Revision = result.Revision, RaftTerm = 7 };
        var writer = new System.Buffers.ArrayBufferWriter<byte>();

        result.WriteTo(writer, header);

        var expected = result.ToMessage();
        expected.Header = header;
        Assert.Equal(expected.ToByteArray(), writer.WrittenSpan.ToArray());
        Assert.Equal(writer.WrittenCount, result.ByteCount(header));
    }

    [Fact]
    public void A_hot_key_takes_many_versions()
    {
        for (var i = 0; i < 20_000; i++)
        {
            _machine.Put("a", "v");
        }

        Assert.Equal(10_000, Assert.Single(_machine.All(revision: 10_001).Kvs).Version);
        _machine.Compact(20_000);
        _machine.SweepAll();

        Assert.Equal(19_999, Assert.Single(_machine.All(revision: 20_000).Kvs).Version);
        Assert.Equal(20_000, Assert.Single(_machine.All().Kvs).Version);
        _machine.State.AssertInvariants();
    }

    [Fact]
    public void Readers_on_other_threads_see_their_view_while_the_writer_goes_on()
    {
        const int Keys = 100;
        const int Writes = 30_000;
        var wrong = 0;
        var isOver = false;
        var readers = Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                var view = _machine.View;
                view.Range(new RangeRequest { Key = Machine.Bytes("\0"), RangeEnd = Machine.Bytes("\0") }, out var result);
                var expected = Enumerable.Range(0, Keys).Select(key => NewestWrite(key, view.Revision)).Where(revision => revision >= 2);
                if (!result.ToMessage().Kvs.Select(kv => kv.ModRevision).Order().SequenceEqual(expected.Order()))
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        })).ToList();
        readers.ForEach(reader => reader.Start());

        // Revision r writes key r modulo the number of keys.
        for (var revision = 2; revision < Writes; revision++)
        {
            _machine.Put($"key-{revision % Keys:000}", "");
            if (revision % 1000 == 0)
            {
                _machine.Compact(revision - 500);
            }

            _machine.State.Sweep(budget: 10);
        }

        Volatile.Write(ref isOver, true);
        readers.ForEach(reader => reader.Join());
        Assert.Equal(0, wrong);

        static long NewestWrite(int key, long revision) => revision - (((revision - key) % Keys + Keys) % Keys);
    }
}
