using System.Buffers;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Xunit;

namespace Cairn.Tests.Raft.Wire;

/// <summary>The bytes were written by raftpb's own encoder (etcd-io/raft v3.6.0).</summary>
public sealed class GoldenBytesTests
{
    private static readonly ConfState JointState = new()
    {
        Voters = [1, 200, ulong.MaxValue],
        Learners = [4],
        VotersOutgoing = [1, 2],
        LearnersNext = [2],
        AutoLeave = true,
    };

    private static readonly Snapshot FullSnapshot = new(new byte[] { 1, 2, 3 }, new SnapshotMetadata(JointState, 1000, 7));

    public static TheoryData<string, Entry> Entries => new()
    {
        { "080010001800", default },
        { "0801100318ac02220568656c6c6f", new Entry(3, 300, EntryType.ConfChange, "hello"u8.ToArray()) },
        { "080210ffffffffffffffffff011880808080808080808001220100", new Entry(ulong.MaxValue, 1UL << 63, EntryType.ConfChangeV2, new byte[1]) },
    };

    public static TheoryData<string, HardState> HardStates => new()
    {
        { "080010001800", default },
        { "080510cdd2918bd2b881cf8e01188001", new HardState(5, 0x8e9e05c52164694d, 128) },
    };

    public static TheoryData<string, ConfState> ConfStates => new()
    {
        { "2800", ConfState.Empty },
        { "080108c80108ffffffffffffffffff0110041801180220022801", JointState },
    };

    public static TheoryData<string, Snapshot> Snapshots => new()
    {
        { "12080a02280010001800", Snapshot.Empty },
        { "0a0301020312210a1a080108c80108ffffffffffffffffff011004180118022002280110e8071807", FullSnapshot },
    };

    public static TheoryData<string, Message> Messages => new()
    {
        { "0800100018002000280030004000500058006800", new Message { Type = MessageType.Hup } },
        { "0808100218012009280030004011500058006800", new Message { Type = MessageType.Heartbeat, To = 2, From = 1, Term = 9, Commit = 17 } },
        {
            "0813100118ffffffffffffffffff012002280330043a090800100218052201613a0608001002180640054a280a0301020312210a1a080108c80108ffffffff"
            + "ffffffffff011004180118022002280110e8071807500158086203637478680672140804100218012002280030064000500058006800721d0814100118ffff"
            + "ffffffffffffff012002280230064000500058006800",
            new Message
            {
                Type = MessageType.StorageAppend,
                To = 1,
                From = LocalTarget.AppendThread,
                Term = 2,
                LogTerm = 3,
                Index = 4,
                Entries = new Entry[] { new(2, 5, EntryType.Normal, "a"u8.ToArray()), new(2, 6, EntryType.Normal, default) },
                Commit = 5,
                Snapshot = FullSnapshot,
                Reject = true,
                RejectHint = 8,
                Context = "ctx"u8.ToArray(),
                Vote = 6,
                Responses =
                [
                    new Message { Type = MessageType.AppResp, To = 2, From = 1, Term = 2, Index = 6 },
                    new Message { Type = MessageType.StorageAppendResp, To = 1, From = LocalTarget.AppendThread, Term = 2, LogTerm = 2, Index = 6 },
                ],
            }
        },
    };

    public static TheoryData<string, ConfChange> ConfChanges => new()
    {
        { "080010001800", default },
        {
            "0863100318ef9baf8589cf959a1222087b226964223a317d",
            new ConfChange(99, ConfChangeType.AddLearnerNode, 0x1234567890abcdef, "{\"id\":1}"u8.ToArray())
        },
    };

    public static TheoryData<string, ConfChangeV2> NewerConfChanges => new()
    {
        { "0800", new ConfChangeV2() },
        {
            "08021205080010ac021204080110021a0163",
            new ConfChangeV2
            {
                Transition = ConfChangeTransition.JointExplicit,
                Changes = [new ConfChangeSingle(ConfChangeType.AddNode, 300), new ConfChangeSingle(ConfChangeType.RemoveNode, 2)],
                Context = "c"u8.ToArray(),
            }
        },
    };

    [Theory]
    [MemberData(nameof(Entries))]
    public void Entry_has_raftpbs_bytes(string golden, Entry entry)
    {
        var bytes = Written(EntryWire.Size(entry), span => EntryWire.Write(entry, span), writer => EntryWire.Write(entry, writer));

        Assert.Equal(golden, bytes);
        Assert.True(EntryWire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(entry, read);
    }

    [Theory]
    [MemberData(nameof(HardStates))]
    public void Hard_state_has_raftpbs_bytes(string golden, HardState state)
    {
        var bytes = Written(HardStateWire.Size(state), span => HardStateWire.Write(state, span), writer => HardStateWire.Write(state, writer));

        Assert.Equal(golden, bytes);
        Assert.True(HardStateWire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(state, read);
    }

    [Theory]
    [MemberData(nameof(ConfStates))]
    public void Configuration_has_raftpbs_bytes(string golden, ConfState state)
    {
        var bytes = Written(ConfStateWire.Size(state), span => ConfStateWire.Write(state, span), writer => ConfStateWire.Write(state, writer));

        Assert.Equal(golden, bytes);
        Assert.True(ConfStateWire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(state, read);
    }

    [Theory]
    [MemberData(nameof(Snapshots))]
    public void Snapshot_has_raftpbs_bytes(string golden, Snapshot snapshot)
    {
        var bytes = Written(SnapshotWire.Size(snapshot), span => SnapshotWire.Write(snapshot, span), writer => SnapshotWire.Write(snapshot, writer));

        Assert.Equal(golden, bytes);
        Assert.True(SnapshotWire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(snapshot, read);
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Message_has_raftpbs_bytes(string golden, Message message)
    {
        var bytes = Written(MessageWire.Size(message), span => MessageWire.Write(message, span), writer => MessageWire.Write(message, writer));

        Assert.Equal(golden, bytes);
        Assert.True(MessageWire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(message, read);
    }

    [Theory]
    [MemberData(nameof(ConfChanges))]
    public void Configuration_change_has_raftpbs_bytes(string golden, ConfChange change)
    {
        Assert.Equal(golden, Convert.ToHexStringLower(ConfChangeWire.ToBytes(change)));
        Assert.True(ConfChangeWire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(change, read);
    }

    [Theory]
    [MemberData(nameof(NewerConfChanges))]
    public void Newer_configuration_change_has_raftpbs_bytes(string golden, ConfChangeV2 change)
    {
        Assert.Equal(golden, Convert.ToHexStringLower(ConfChangeV2Wire.ToBytes(change)));
        Assert.True(ConfChangeV2Wire.TryRead(Convert.FromHexString(golden), out var read));
        Assert.Equal(change, read);
    }

    /// <summary>Both ways to write must agree with each other and with the size computed beforehand.</summary>
    private static string Written(int size, Func<byte[], int> toSpan, Action<IBufferWriter<byte>> toWriter)
    {
        var bytes = new byte[size];
        Assert.Equal(size, toSpan(bytes));
        var writer = new ArrayBufferWriter<byte>();
        toWriter(writer);
        Assert.Equal(bytes, writer.WrittenSpan.ToArray());
        return Convert.ToHexStringLower(bytes);
    }
}
