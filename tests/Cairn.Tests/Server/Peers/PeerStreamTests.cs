using System.Buffers;
using Cairn.Raft;
using Cairn.Server.Peers;
using Xunit;

namespace Cairn.Tests.Server.Peers;

public sealed class PeerStreamTests
{
    private const ulong Local = 0x1234;
    private const ulong Remote = 0xabcd;

    [Fact]
    public void A_message_comes_back_as_it_was_written()
    {
        var output = new ArrayBufferWriter<byte>();
        var vote = new Message { Type = MessageType.Vote, From = Remote, To = Local, Term = 5, LogTerm = 4, Index = 17, Context = "CampaignTransfer"u8.ToArray() };
        MessageStreamWriter.Write(vote, output);
        MessageStreamWriter.WriteHeartbeat(output);

        var bytes = new ReadOnlySequence<byte>(output.WrittenMemory);
        Assert.Equal(StreamRead.Message, MessageStreamReader.TryRead(ref bytes, out var message));
        Assert.Equal(vote, message);
        Assert.Equal(StreamRead.Heartbeat, MessageStreamReader.TryRead(ref bytes, out message));
        Assert.Null(message);
        Assert.True(bytes.IsEmpty);
    }

    [Fact]
    public void An_append_that_continues_the_last_one_is_sent_without_its_head()
    {
        var writer = new AppendStreamWriter();
        var first = Append(term: 3, logTerm: 2, index: 9, count: 2, commit: 8);
        var second = Append(term: 3, logTerm: 3, index: 11, count: 1, commit: 10);
        var commitOnly = Append(term: 3, logTerm: 3, index: 12, count: 0, commit: 12);

        Assert.Equal(new byte[] { 2, 1, 1 }, new[] { Frame(writer, first)[0], Frame(writer, second)[0], Frame(writer, commitOnly)[0] });
    }

    [Fact]
    public void Appends_come_back_as_they_were_written_wherever_the_bytes_are_cut()
    {
        var appends = new[]
        {
            Append(term: 3, logTerm: 2, index: 9, count: 2, commit: 8),
            Append(term: 3, logTerm: 3, index: 11, count: 3, commit: 10),
            Append(term: 3, logTerm: 3, index: 14, count: 0, commit: 14),
            Append(term: 4, logTerm: 3, index: 14, count: 1, commit: 14),
            Append(term: 4, logTerm: 4, index: 15, count: 1, commit: 15),
        };
        var writer = new AppendStreamWriter();
        var all = appends.SelectMany(append => Frame(writer, append)).Append((byte)0).ToArray();

        for (var cut = 0; cut <= all.Length; cut++)
        {
            var reader = new AppendStreamReader(Local, Remote);
            var seen = new List<Message>();
            var rest = ReadAll(reader, all[..cut], seen);
            rest = ReadAll(reader, [.. rest, .. all[cut..]], seen);
            Assert.Empty(rest);
            Assert.Equal(appends, seen);
        }
    }

    [Fact]
    public void A_known_frame_of_etcd_is_read()
    {
        // One entry (term 1, index 2, no data) after a full append that ended at index 1 in term 1; commit 1.
        var reader = new AppendStreamReader(Local, Remote);
        var writer = new AppendStreamWriter();
        ReadAll(reader, Frame(writer, Append(term: 1, logTerm: 0, index: 0, count: 1, commit: 0)), []);
        byte[] frame = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 0x08, 0, 0x10, 1, 0x18, 2, 0, 0, 0, 0, 0, 0, 0, 1];

        var seen = new List<Message>();
        Assert.Empty(ReadAll(reader, frame, seen));
        var append = Assert.Single(seen);
        Assert.Equal((1UL, 1UL, 1UL, 1UL, Remote, Local), (append.Term, append.LogTerm, append.Index, append.Commit, append.From, append.To));
        Assert.Equal(new Entry(1, 2, EntryType.Normal, default), Assert.Single(append.Entries.ToArray()));
    }

    [Fact]
    public void Giant_and_senseless_frames_are_malformed_and_allocate_nothing()
    {
        byte[] giant = [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        var bytes = new ReadOnlySequence<byte>(giant);
        Assert.Equal(StreamRead.Malformed, MessageStreamReader.TryRead(ref bytes, out _));

        foreach (byte kind in new byte[] { 1, 2, 3, 255 })
        {
            bytes = new ReadOnlySequence<byte>([kind, .. giant]);
            Assert.Equal(StreamRead.Malformed, new AppendStreamReader(Local, Remote).TryRead(ref bytes, out _));
        }
    }

    [Fact]
    public void No_mutation_of_a_stream_does_more_than_end_it()
    {
        var writer = new AppendStreamWriter();
        var original = Frame(writer, Append(term: 3, logTerm: 2, index: 9, count: 2, commit: 8)).Concat(Frame(writer, Append(term: 3, logTerm: 3, index: 11, count: 3, commit: 10))).ToArray();
        var prng = new Prng(7);
        var ended = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var mutated = original.ToArray();
            for (var flips = prng.Between(1, 4); flips > 0; flips--)
            {
                mutated[prng.Below(mutated.Length)] = (byte)prng.Below(256);
            }

            var reader = new AppendStreamReader(Local, Remote);
            var bytes = new ReadOnlySequence<byte>(mutated);
            StreamRead found;
            do
            {
                found = reader.TryRead(ref bytes, out _);
            }
            while (found is StreamRead.Message or StreamRead.Heartbeat);
            ended += found == StreamRead.Malformed ? 1 : 0;
        }

        Assert.True(ended > 0);
    }

    private static Message Append(ulong term, ulong logTerm, ulong index, int count, ulong commit) => new()
    {
        Type = MessageType.App,
        From = Remote,
        To = Local,
        Term = term,
        LogTerm = logTerm,
        Index = index,
        Commit = commit,
        Entries = Enumerable.Range(1, count).Select(i => new Entry(term, index + (ulong)i, EntryType.Normal, new byte[] { (byte)i, 7 })).ToArray(),
    };

    private static byte[] Frame(AppendStreamWriter writer, Message message)
    {
        var output = new ArrayBufferWriter<byte>();
        writer.Write(message, output);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] ReadAll(AppendStreamReader reader, byte[] received, List<Message> seen)
    {
        var bytes = new ReadOnlySequence<byte>(received);
        while (true)
        {
            var found = reader.TryRead(ref bytes, out var message);
            Assert.NotEqual(StreamRead.Malformed, found);
            if (found == StreamRead.Incomplete)
            {
                return bytes.ToArray();
            }

            if (message is not null)
            {
                seen.Add(message);
            }
        }
    }
}
