namespace Cairn.Raft.Membership;

/// <summary>Why a configuration change is impossible. The same change on the same configuration fails alike on every member.</summary>
/// <remarks>Source: etcd-io/raft, confchange/confchange.go.</remarks>
public enum MembershipError
{
    /// <summary>It is possible.</summary>
    None = 0,

    /// <summary>A joint configuration cannot be entered from a joint one.</summary>
    AlreadyJoint,

    /// <summary>Only a joint configuration can be left.</summary>
    NotJoint,

    /// <summary>A simple change is impossible while the configuration is joint.</summary>
    SimpleChangeWhileJoint,

    /// <summary>A simple change may change one voter only.</summary>
    MoreThanOneVoterChanged,

    /// <summary>Nobody would be left to vote.</summary>
    AllVotersRemoved,

    /// <summary>A configuration without voters cannot become joint.</summary>
    NoVotersToJoin,

    /// <summary>The type or the transition of the change is unknown.</summary>
    UnknownChange,
}
