using Cairn.State.Mvcc;

namespace Cairn.State.Members;

/// <summary>What a change of the configuration does to a member.</summary>
public enum MemberChangeKind
{
    /// <summary>A new member, voter or learner.</summary>
    Add,

    /// <summary>A member leaves for good.</summary>
    Remove,

    /// <summary>A member gets other peer URLs.</summary>
    Update,

    /// <summary>A learner becomes a voter.</summary>
    Promote,
}

/// <summary>A change of one member, as it stands in the log.</summary>
/// <param name="RequestId">Id of the proposal; 0 for the first members of a new cluster.</param>
/// <param name="Kind">What happens.</param>
/// <param name="MemberId">To whom.</param>
/// <param name="Member">The new member (Add), or one with the new URLs (Update); null otherwise.</param>
/// <param name="CountsAsLearner">Whether this is the addition of a learner, which the learner limit counts.</param>
public sealed record MemberChange(ulong RequestId, MemberChangeKind Kind, ulong MemberId, MemberRecord? Member, bool CountsAsLearner)
{
    private const ulong AddNode = 0;
    private const ulong RemoveNode = 1;
    private const ulong UpdateNode = 2;
    private const ulong AddLearnerNode = 3;

    /// <summary>Reads the payload of a configuration entry.</summary>
    /// <param name="data">raftpb.ConfChange: id 1, type 2, node_id 3, context 4, which is etcd's JSON of a member.</param>
    /// <returns>The change, or null if these bytes are none.</returns>
    public static MemberChange? Parse(ReadOnlySpan<byte> data)
    {
        ulong requestId = 0, type = 0, nodeId = 0;
        ReadOnlySpan<byte> context = default;
        var reader = new WireReader(data);
        while (reader.TryReadTag(out var tag))
        {
            switch (tag)
            {
                case 0x08:
                    requestId = reader.ReadVarint();
                    break;
                case 0x10:
                    type = reader.ReadVarint();
                    break;
                case 0x18:
                    nodeId = reader.ReadVarint();
                    break;
                case 0x22:
                    context = reader.ReadBytes();
                    break;
                default:
                    reader.Skip(tag);
                    break;
            }
        }

        return reader.IsBroken ? null : Of(requestId, type, nodeId, context);
    }

    private static MemberChange? Of(ulong requestId, ulong type, ulong nodeId, ReadOnlySpan<byte> context)
    {
        if (type == RemoveNode)
        {
            return new MemberChange(requestId, MemberChangeKind.Remove, nodeId, null, CountsAsLearner: false);
        }

        if (!MemberJson.TryParse(context, out var member, out var isPromotion) || member.Id != nodeId)
        {
            return null;
        }

        return type switch
        {
            AddNode or AddLearnerNode when isPromotion => new MemberChange(requestId, MemberChangeKind.Promote, nodeId, null, CountsAsLearner: false),
            AddNode => new MemberChange(requestId, MemberChangeKind.Add, nodeId, member, CountsAsLearner: false),
            AddLearnerNode => new MemberChange(requestId, MemberChangeKind.Add, nodeId, member, CountsAsLearner: member.IsLearner),
            UpdateNode => new MemberChange(requestId, MemberChangeKind.Update, nodeId, member, CountsAsLearner: false),
            _ => null,
        };
    }
}
