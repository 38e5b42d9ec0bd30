namespace Cairn.Raft;

/// <summary>Addresses that are no members: nobody, and the two local workers of asynchronous storage writes.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (None, LocalAppendThread, LocalApplyThread).</remarks>
public static class LocalTarget
{
    /// <summary>No member: no leader, no vote.</summary>
    public const ulong None = 0;

    /// <summary>The worker that makes the log durable.</summary>
    public const ulong AppendThread = ulong.MaxValue;

    /// <summary>The worker that applies committed entries.</summary>
    public const ulong ApplyThread = ulong.MaxValue - 1;

    /// <summary>Tells whether an address is one of the two local workers.</summary>
    /// <param name="id">An address.</param>
    /// <returns>True for <see cref="AppendThread"/> and <see cref="ApplyThread"/>.</returns>
    public static bool Includes(ulong id) => id is AppendThread or ApplyThread;
}
